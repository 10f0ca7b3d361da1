-- Probes: grants and returns leases, and applies probe outcomes to a half-open circuit.
local function grant(c, now, token, lease_ms)
  for _, lease in pairs(c.leases) do
    if lease.until_ms <= now then queue(c, 'ZREM', c.keys.probes, lease.member) end
  end
  if c.leases[token] then queue(c, 'ZREM', c.keys.probes, c.leases[token].member) end
  local lease = { until_ms = now + lease_ms, epoch = c.epoch, member = whole(c.epoch) .. ':' .. token }
  c.leases[token] = lease
  queue(c, 'ZADD', c.keys.probes, whole(lease.until_ms), lease.member)
  queue_end(c, c.keys.probes, lease_ms)
end

-- Marks the lease as ended, and notifies other replicas that a probe is available. Adds the new member before removing
-- the old one, because an empty key loses its TTL.
local function return_lease(c, token)
  local lease = c.leases[token]
  local old_member = lease.member
  lease.epoch, lease.member, c.touched = 0, '0:' .. token, true
  queue(c, 'ZADD', c.keys.probes, whole(lease.until_ms), lease.member)
  queue(c, 'ZREM', c.keys.probes, old_member)
end

local function is_tolerably_slow(c, terms, outcome)
  return outcome == 'slow' and (c.probe_slow + 1) / (c.probe_successes + 1) < terms.slow_threshold
end

local function probe_succeeded(c, terms, now, replica, outcome, took_ms)
  local slowest_ms = math.max(c.slowest_probe_ms, took_ms)
  c.slowest_probe_ms = slowest_ms
  c.probe_successes, c.lost_by, c.dirty = c.probe_successes + 1, '', true
  if outcome == 'slow' then c.probe_slow = c.probe_slow + 1 end
  if c.probe_successes < terms.probe_successes then return end
  transition(c, 'probes succeeded', now, ('%.0f good probes'):format(c.probe_successes), replica)
  -- Failures end sooner than successes and are reported at once, so the first reports would contain only failures.
  c.judges_from_ms = now + math.min(math.max(terms.blip_ms, 2 * slowest_ms), terms.window_ms)
end

-- Reopens the circuit; with a quorum above 1 only once the probes of that many replicas failed.
local function probe_failed(c, terms, now, replica, outcome, throttled_ms, jitter)
  prune_votes(c, now)
  vote(c, now, replica, now + math.max(terms.window_ms, 4 * terms.lease_ms))
  c.lost_by, c.lost_at_ms, c.dirty = replica, now, true
  local failed_probes = 0
  for _ in pairs(c.voters) do failed_probes = failed_probes + 1 end
  if failed_probes < terms.quorum then return end
  local reason = 'a probe ended ' .. outcome
  if outcome == 'throttled' then
    open(c, 'service asked for a rest', now, terms, throttle_ms(throttled_ms, terms), 0, reason, replica)
  else
    open(c, 'probe failed', now, terms, next_open_ms(c, terms, now, jitter), 1, reason, replica)
  end
end
