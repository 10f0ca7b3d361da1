-- restore: restores a Redis that is behind what a replica had from it, or contradicts it; does nothing to any other.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- ARGV 1-14  terms (terms.py)
--      replica             incarnation that restores it
--      state               it believed
--      epoch               it believed
--      left_ms             left of the rest, in ms
--      open_count          it believed
--      reason              of the last change
--      opened_by           who opened it
--      override_mode       of an operator's word; empty: none
--      override_reason     why
--      override_by         who
--      override_until_ms   its end in Redis time, in ms; empty: none
--      changed_at_ms       when the epoch began, in Redis time
-- Returns granted, wait_ms, unpublished, snapshot (replies.py)
-- Called by RedisLedger.restore
local now, terms = now_ms(), terms_at(1)
local replica = arg(1)
local belief = { state = arg(2), epoch = tonumber(arg(3)), left_ms = tonumber(arg(4)),
  open_count = tonumber(arg(5)), reason = arg(6), opened_by = arg(7),
  override = word_of(now, arg(8), arg(9), arg(10), tonumber(arg(11))), changed_at_ms = tonumber(arg(12)) }
local c = load(1, now)
local tie, after, before = tied(c, belief), missed(c, terms, now)
local adds = after < belief.epoch and belief.epoch < before
if c.epoch < belief.epoch or tie or adds then
  lapse(c, now)
  if tie then belief.override = c.override or belief.override end
  restore(c, terms, now, replica, belief, adds and before)
end
return done(c, terms, now, replica, false)
