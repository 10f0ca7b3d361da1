-- restore: restores a circuit whose stored state is older than the replica's, or conflicts with it; else changes nothing.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the change log; not on a cluster
-- ARGV 1-14  terms (terms.py)
--      replica             incarnation that restores it
--      state               state last read by the replica
--      epoch               epoch last read
--      left_ms             remaining open time, in ms
--      open_count          open count last read
--      reason              reason of the last transition
--      opened_by           who opened the circuit
--      override_mode       mode of the override; empty: none
--      override_reason     why
--      override_by         who
--      override_until_ms   its end in Redis time, in ms; empty: none
--      changed_at_ms       when the epoch began, in Redis time
-- Returns granted, wait_ms, unpublished, snapshot (codec.py)
-- Called by RedisLedger.restore
local now, terms = now_ms(), terms_at(1)
local replica = arg(1)
local point = { state = arg(2), epoch = tonumber(arg(3)), left_ms = tonumber(arg(4)),
  open_count = tonumber(arg(5)), reason = arg(6), opened_by = arg(7),
  override = active_override(now, arg(8), arg(9), arg(10), tonumber(arg(11))), changed_at_ms = tonumber(arg(12)) }
local c = load(1, now)
if c.invalid then return refuse(c) end
local is_conflict, after, before = conflicts(c, point), missing_range(c, terms, now)
local adds = after < point.epoch and point.epoch < before
if is_possible(point, now) and (c.epoch < point.epoch or is_conflict or adds) then
  expire_override(c, now)
  if is_conflict then point.override = c.override or point.override end
  restore(c, terms, now, replica, point, adds and before)
end
return finish(c, terms, now, replica, false)
