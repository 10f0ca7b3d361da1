-- The transition rules, equivalent to `ha_rag/circuit/rules` (checked by a property test).
local TERMS = { 'window_ms', 'bucket_ms', 'min_samples', 'failure_threshold', 'slow_threshold', 'quorum', 'open_ms',
  'backoff', 'open_max_ms', 'throttle_max_ms', 'probes', 'probe_successes', 'lease_ms', 'blip_ms' }

-- The state that each trigger leads to (`transitions.py`).
local LEADS_TO = {
  ['threshold reached'] = 'open', ['streak'] = 'open', ['service asked for a rest'] = 'open', ['probe granted'] = 'half_open',
  ['probe failed'] = 'open', ['probes succeeded'] = 'closed', ['forced open'] = 'open', ['overridden'] = 'closed',
  ['forced open ended'] = 'open', ['override ended'] = 'closed',
  ['ledger restored, resting'] = 'open', ['ledger restored'] = 'closed',
}

-- The policy terms, which begin at ARGV[first].
local function terms_at(first)
  local terms = {}
  for i, name in ipairs(TERMS) do terms[name] = tonumber(ARGV[first + i - 1]) end
  return terms
end

-- The verb's n-th argument after the terms.
local function arg(n) return ARGV[#TERMS + n] end

local function in_window(bucket, now, window_ms) return bucket.number * bucket.width > now - window_ms end

local function total(c, terms, now)
  local sum = { ok = 0, failed = 0, slow = 0 }
  for _, bucket in pairs(c.window) do
    if in_window(bucket, now, terms.window_ms) then
      sum.ok, sum.failed, sum.slow = sum.ok + bucket.ok, sum.failed + bucket.failed, sum.slow + bucket.slow
    end
  end
  sum.samples = sum.ok + sum.failed
  return sum
end

-- The open count used for backoff: 0 once the circuit has been closed for a whole window.
local function recent_open_count(c, terms, now)
  local calm = c.state == 'closed' and now - c.changed_at_ms >= terms.window_ms
  return calm and 0 or c.open_count
end

local function next_open_ms(c, terms, now, jitter)
  local times = recent_open_count(c, terms, now)
  local extended = math.min(terms.open_ms * terms.backoff ^ math.min(times, 64), terms.open_max_ms)
  if times > 0 then extended = extended * (1 + 0.1 * jitter) end
  return math.floor(extended)
end

-- A transition: starts a new epoch and clears the counts. `above`: an epoch that the new one must exceed.
local function transition(c, trigger, now, reason, by, counts, above)
  local event = { previous = c.epoch, before = c.state, after = LEADS_TO[trigger], trigger = trigger,
    reason = reason, by = by, counts = counts or { ok = 0, failed = 0, slow = 0 } }
  c.epoch = math.max(c.epoch + 1, (above or 0) + 1, now)
  event.epoch = c.epoch
  c.state, c.changed_at_ms, c.reason, c.open_until_ms = event.after, now, reason, now
  c.probe_successes, c.probe_slow, c.missed_after, c.missed_before = 0, 0, 0, 0
  c.window, c.voters = {}, {}
  c.streak, c.slow_streak = { bad = 0, good = 0, since = 0 }, { bad = 0, good = 0, since = 0 }
  c.slowest_probe_ms, c.judges_from_ms = 0, 0
  c.dirty = true
  queue(c, 'DEL', c.keys.open, c.keys.window, c.keys.voters, c.keys.batches)
  c.events[#c.events + 1] = event
end

-- Starts the open time. `ms`: nil for an open circuit without an end.
local function start_open_time(c, now, ms)
  c.opened_at_ms, c.open_for_ms, c.open_until_ms = now, ms or 0, now + (ms or 0)
  queue(c, 'SET', c.keys.open, whole(c.epoch))
  if ms then queue_end(c, c.keys.open, ms) end
end

local function open(c, trigger, now, terms, ms, step, reason, by, counts)
  local count = recent_open_count(c, terms, now) + step
  transition(c, trigger, now, reason, by, counts)
  c.open_count, c.opened_by = count, by
  start_open_time(c, now, ms)
end

local function put_override(c, now, override)
  c.override, c.override_mode, c.override_by = override, override.mode, override.by
  queue(c, 'DEL', c.keys.override)
  local left = override.until_ms and override.until_ms - now
  queue(c, 'HSET', c.keys.override, 'mode', override.mode, 'reason', override.reason, 'by', override.by)
  if left then queue_end(c, c.keys.override, left) end
end

-- A circuit that stayed closed under `open` holds an order over circuits of replicas (`order.lua`).
local function end_override(c, now, reason, by)
  local was_open = c.override.mode == 'open' and c.state ~= 'closed'
  transition(c, was_open and 'forced open ended' or 'override ended', now, reason, by)
  c.override, c.override_mode, c.override_by = nil, '', ''
  queue(c, 'DEL', c.keys.override)
end

-- Ends an expired override; the first verb that writes afterwards publishes its end.
local function expire_override(c, now)
  if c.override and c.override.over then end_override(c, now, 'the override expired', c.override.by) end
end

-- Deletes an invalid circuit, but not its history, and returns the one that an operator's override begins with.
local function replace_invalid(c, now)
  local keys = c.keys
  redis.call('DEL', keys.circuit, keys.open, keys.window, keys.voters, keys.probes, keys.override, keys.batches)
  return load(1, now)
end

-- Whether a lease's probe may still be running. Epoch 0: it has ended, and is kept so that a duplicate does not count.
local function is_running(lease, now) return lease.epoch > 0 and lease.until_ms > now end

-- Number of running probes, and when the first of their leases expires.
local function running_probes(c, now)
  local count, first = 0, nil
  for _, lease in pairs(c.leases) do
    if is_running(lease, now) then
      count, first = count + 1, math.min(first or lease.until_ms, lease.until_ms)
    end
  end
  return count, first
end

-- Time this replica must wait before it may probe, in ms; nil if unknown (forced open) or not needed (closed).
local function lease_wait_ms(c, terms, now, replica)
  local forced = c.override and not c.override.over
  if forced or c.state == 'closed' then return nil end
  local wait = 0
  if c.state == 'open' then wait = math.max(wait, c.open_until_ms - now) end
  local count, first = running_probes(c, now)
  if count >= terms.probes then wait = math.max(wait, first - now) end
  local yields = c.lost_by == replica or (c.voters[replica] or 0) > now
  if c.lost_by ~= '' and yields then wait = math.max(wait, c.lost_at_ms + 2 * terms.lease_ms - now) end
  return wait
end
