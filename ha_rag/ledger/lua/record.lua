-- record: adds a batch of outcomes to a closed circuit's window, and opens the circuit when they reach a threshold.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the change log; not on a cluster
-- ARGV 1-14  terms (terms.py)
--      replica          incarnation that reports
--      number           batch number; one not above the last counted is a duplicate
--      failing          1: the replica's own rate is at or above a threshold; else 0
--      throttled_ms     pause that the service asked for, in ms; 0: none
--      throttled_epoch  epoch of the throttled call
--      throttled_at_ms  when the service asked, in Redis time; 0: now
--      jitter           share, 0 to 1
--      tallies          epoch, at_ms, ok, failed, slow, overdue; repeated
-- Returns granted, wait_ms, unpublished, snapshot (codec.py)
-- Called by RedisLedger.record
local now, terms = now_ms(), terms_at(1)
local c = load(1, now)
if c.invalid then return refuse(c) end
local b = { replica = arg(1), number = tonumber(arg(2)), failing = arg(3) == '1',
  throttled_ms = tonumber(arg(4)), throttled_epoch = tonumber(arg(5)), throttled_at_ms = tonumber(arg(6)) }
expire_override(c, now)
local mode = c.override_mode
local recent = c.state == 'closed' and mode ~= 'disabled' and count_batch(c, terms, now, b, #TERMS + 8)
if recent then
  local streak = update_streaks(c, terms, now, recent)
  local trigger, open_ms, step, reason, counts = judge(c, terms, now, b, tonumber(arg(7)), streak)
  if trigger and mode == 'shadow' then
    would_open(c, now, open_ms, reason, b.replica, counts)
  elseif trigger and mode ~= 'closed' then
    open(c, trigger, now, terms, open_ms, step, reason, b.replica, counts)
  end
end
return finish(c, terms, now, b.replica, false)
