-- Probes: leases are granted and given back, and what their ends make of a half-open circuit.
local function grant(c, now, token, lease_ms)
  for _, held in pairs(c.leases) do
    if held.until_ms <= now then queue(c, 'ZREM', c.keys.probes, held.member) end
  end
  if c.leases[token] then queue(c, 'ZREM', c.keys.probes, c.leases[token].member) end
  local held = { until_ms = now + lease_ms, epoch = c.epoch, member = whole(c.epoch) .. ':' .. token }
  c.leases[token] = held
  queue(c, 'ZADD', c.keys.probes, whole(held.until_ms), held.member)
  queue_end(c, c.keys.probes, lease_ms)
end

-- The others should look again: a place is free. Put in before the other is taken out, since an empty key loses its end.
local function give_back(c, token)
  local held = c.leases[token]
  local stood = held.member
  held.epoch, held.member, c.touched = 0, '0:' .. token, true
  queue(c, 'ZADD', c.keys.probes, whole(held.until_ms), held.member)
  queue(c, 'ZREM', c.keys.probes, stood)
end

local function slow_but_bearable(c, terms, outcome)
  return outcome == 'slow' and (c.probe_slow + 1) / (c.probe_successes + 1) < terms.slow_threshold
end

local function win(c, terms, now, replica, outcome, took_ms)
  local slowest_ms = math.max(c.slowest_probe_ms, took_ms)
  c.slowest_probe_ms = slowest_ms
  c.probe_successes, c.lost_by, c.dirty = c.probe_successes + 1, '', true
  if outcome == 'slow' then c.probe_slow = c.probe_slow + 1 end
  if c.probe_successes < terms.probe_successes then return end
  change(c, 'probes succeeded', now, ('%.0f good probes'):format(c.probe_successes), replica)
  -- Failures end sooner than successes and are reported at once, so for a moment only they would be seen.
  c.judges_from_ms = now + math.min(math.max(terms.blip_ms, 2 * slowest_ms), terms.window_ms)
end

-- Opens again; with a quorum above 1 only once that many replicas' probes failed.
local function lose(c, terms, now, replica, outcome, throttled_ms, jitter)
  forget_old_votes(c, now)
  vote(c, now, replica, now + math.max(terms.window_ms, 4 * terms.lease_ms))
  c.lost_by, c.lost_at_ms, c.dirty = replica, now, true
  local lost = 0
  for _ in pairs(c.voters) do lost = lost + 1 end
  if lost < terms.quorum then return end
  local reason = 'a probe ended ' .. outcome
  if outcome == 'throttled' then
    open(c, 'service asked for a rest', now, terms, throttle_ms(throttled_ms, terms), 0, reason, replica)
  else
    open(c, 'probe failed', now, terms, grown_rest_ms(c, terms, now, jitter), 1, reason, replica)
  end
end
