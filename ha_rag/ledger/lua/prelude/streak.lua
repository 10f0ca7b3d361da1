-- Streaks, equivalent to `ha_rag/circuit/streak.py` (checked by a property test).
local NEED = 14

local function outweighs(bad, good, threshold) return (1 - threshold) * bad > 2 * threshold * good end

local function add_to_streak(streak, now, bad, good, threshold, window_ms)
  if streak.bad == 0 or now - streak.since >= window_ms then streak = { bad = 0, good = 0, since = now } end
  local after = { bad = math.max(0, streak.bad + bad), good = streak.good + good, since = streak.since }
  if not outweighs(after.bad, after.good, threshold) then return { bad = 0, good = 0, since = 0 } end
  return after
end

local function streak_opens(streak, now, bad, good, threshold, need, blip_ms)
  local enough = streak.bad >= need and not outweighs(need - streak.bad, -streak.good, threshold)
  return outweighs(bad, good, threshold) and enough and now - streak.since >= blip_ms
end

-- Updates one streak and returns why it opens the circuit, or nil. An empty streak that stays empty writes nothing.
local function update_streak(c, field, terms, now, bad, good, threshold, how)
  local before = c[field]
  local streak = add_to_streak(before, now, bad, good, threshold, terms.window_ms)
  c[field] = streak
  if streak.bad > 0 or before.bad > 0 then
    local text = ('%.0f:%.0f:%.0f:%.0f'):format(c.epoch, streak.bad, streak.good, streak.since)
    queue(c, 'HSET', c.keys.circuit, field, text)
  end
  if not streak_opens(streak, now, bad, good, threshold, math.max(NEED, terms.min_samples), terms.blip_ms) then return nil end
  return ('%.0f of %.0f calls %s within %.1f s'):format(streak.bad, streak.bad + streak.good, how, (now - streak.since) / 1000)
end

-- Whether a replica of 0.1.0 has reported within the window. Its calls are in no streak, so
-- the failures of a few other replicas would look like the failures of all.
local function has_calls_outside_streaks(c, terms, now)
  for _, seen in pairs(pairs_of(entries(c, 'HGETALL', c.keys.batches))) do
    local at = whole_number(seen:match('^%d+:(%d+)$'), now + MAX_AHEAD_MS)
    if at and at > now - terms.window_ms then return true end
  end
  return false
end

-- Updates both streaks with the batch's recent outcomes; returns why one of them opens the circuit, or nil.
local function update_streaks(c, terms, now, recent)
  if not (recent.any or recent.overdue ~= 0) or terms.blip_ms >= terms.window_ms then return nil end
  local how, bad = recent.overdue > 0 and 'failed or hung' or 'failed', recent.failed + recent.overdue
  local failed = update_streak(c, 'streak', terms, now, bad, recent.ok, terms.failure_threshold, how)
  local slow
  if terms.slow_threshold <= 1 then
    local fast = math.max(0, recent.ok + recent.failed - recent.slow)
    slow = update_streak(c, 'slow_streak', terms, now, recent.slow, fast, terms.slow_threshold, 'were slow')
  end
  local why = failed or slow
  if why and has_calls_outside_streaks(c, terms, now) then return nil end
  return why
end
