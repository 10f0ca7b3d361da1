-- The law as `ha_rag/circuit/rules` has it; a property test holds the two together.
local TERMS = { 'window_ms', 'bucket_ms', 'min_samples', 'failure_threshold', 'slow_threshold', 'quorum', 'open_ms',
  'backoff', 'open_max_ms', 'throttle_max_ms', 'probes', 'probe_successes', 'lease_ms', 'blip_ms' }

-- Where each trigger leads (`transitions.py`).
local LEADS_TO = {
  ['threshold reached'] = 'open', ['streak'] = 'open', ['service asked for a rest'] = 'open', ['probe granted'] = 'half_open',
  ['probe failed'] = 'open', ['probes succeeded'] = 'closed', ['forced open'] = 'open', ['overridden'] = 'closed',
  ['forced open ended'] = 'open', ['override ended'] = 'closed',
  ['ledger restored, resting'] = 'open', ['ledger restored'] = 'closed',
}

-- The policy that stands at ARGV[first] and after it.
local function terms_at(first)
  local terms = {}
  for i, name in ipairs(TERMS) do terms[name] = tonumber(ARGV[first + i - 1]) end
  return terms
end

-- The verb's own arguments, which stand after the policy.
local function arg(n) return ARGV[#TERMS + n] end

local function live(bucket, now, window_ms) return bucket.number * bucket.width > now - window_ms end

local function total(c, terms, now)
  local sum = { ok = 0, failed = 0, slow = 0 }
  for _, bucket in pairs(c.window) do
    if live(bucket, now, terms.window_ms) then
      sum.ok, sum.failed, sum.slow = sum.ok + bucket.ok, sum.failed + bucket.failed, sum.slow + bucket.slow
    end
  end
  sum.samples = sum.ok + sum.failed
  return sum
end

-- After a whole window closed, the past is forgiven.
local function openings(c, terms, now)
  local calm = c.state == 'closed' and now - c.changed_at_ms >= terms.window_ms
  return calm and 0 or c.open_count
end

local function grown_rest_ms(c, terms, now, jitter)
  local times = openings(c, terms, now)
  local grown = math.min(terms.open_ms * terms.backoff ^ math.min(times, 64), terms.open_max_ms)
  if times > 0 then grown = grown * (1 + 0.1 * jitter) end
  return math.floor(grown)
end

-- A transition: mints an epoch, forgets what was counted. `above`: an epoch that the new one must exceed.
local function change(c, trigger, now, reason, by, counts, above)
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

-- How long `:open` lives. `ms`: nil for a rest without an end.
local function rest(c, now, ms)
  c.opened_at_ms, c.open_for_ms, c.open_until_ms = now, ms or 0, now + (ms or 0)
  queue(c, 'SET', c.keys.open, whole(c.epoch))
  if ms then queue_end(c, c.keys.open, ms) end
end

local function open(c, trigger, now, terms, ms, step, reason, by, counts)
  local count = openings(c, terms, now) + step
  change(c, trigger, now, reason, by, counts)
  c.open_count, c.opened_by = count, by
  rest(c, now, ms)
end

local function put_override(c, now, word)
  c.override, c.override_mode, c.override_by = word, word.mode, word.by
  queue(c, 'DEL', c.keys.override)
  local left = word.until_ms and word.until_ms - now
  queue(c, 'HSET', c.keys.override, 'mode', word.mode, 'reason', word.reason, 'by', word.by)
  if left then queue_end(c, c.keys.override, left) end
end

local function end_override(c, now, reason, by)
  change(c, c.override.mode == 'open' and 'forced open ended' or 'override ended', now, reason, by)
  c.override, c.override_mode, c.override_by = nil, '', ''
  queue(c, 'DEL', c.keys.override)
end

-- Ends an override whose time is up: the first verb that writes after it tells of it.
local function lapse(c, now)
  if c.override and c.override.over then end_override(c, now, 'its time is up', c.override.by) end
end

-- Whether a lease's probe may be under way; epoch 0: it has ended, and is remembered so that nothing of it counts twice.
local function stands(held, now) return held.epoch > 0 and held.until_ms > now end

-- How many probes stand, and when the first of them must have ended.
local function standing(c, now)
  local count, first = 0, nil
  for _, held in pairs(c.leases) do
    if stands(held, now) then
      count, first = count + 1, math.min(first or held.until_ms, held.until_ms)
    end
  end
  return count, first
end

-- How long this replica must wait before it may probe; nil where nobody can know (forced open) or need to (closed).
local function lease_wait_ms(c, terms, now, replica)
  local forced = c.override and not c.override.over
  if forced or c.state == 'closed' then return nil end
  local wait = 0
  if c.state == 'open' then wait = math.max(wait, c.open_until_ms - now) end
  local count, first = standing(c, now)
  if count >= terms.probes then wait = math.max(wait, first - now) end
  local lost = c.lost_by == replica or (c.voters[replica] or 0) > now
  if c.lost_by ~= '' and lost then wait = math.max(wait, c.lost_at_ms + 2 * terms.lease_ms - now) end
  return wait
end
