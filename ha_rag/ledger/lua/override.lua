-- override: sets an operator's override for the whole fleet, or ends it. Replaces a circuit that is invalid.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the change log; not on a cluster
-- ARGV 1-14  terms (terms.py)
--      mode    open, closed, disabled or shadow; empty: end the current override
--      reason  why
--      by      who
--      for_ms  duration in ms; empty: until it is ended
-- Returns granted, wait_ms, unpublished, snapshot (codec.py)
-- Called by RedisLedger.override
local now, terms = now_ms(), terms_at(1)
local mode, reason, by, for_ms = arg(1), arg(2), arg(3), tonumber(arg(4))
local c = load(1, now)
local was_invalid = c.invalid
if was_invalid then c = replace_invalid(c, now) end
expire_override(c, now)
if mode == '' then
  if c.override then end_override(c, now, reason, by) end
  if was_invalid then transition(c, 'override ended', now, reason, by) end
  return finish(c, terms, now, by, false)
end
transition(c, mode == 'open' and 'forced open' or 'overridden', now, mode .. ': ' .. reason, by)
put_override(c, now, { mode = mode, reason = reason, by = by, until_ms = for_ms and now + for_ms })
c.events[#c.events].until_ms = c.override.until_ms
c.would_open_at_ms = 0
if mode == 'open' then
  c.opened_by = by
  start_open_time(c, now, for_ms)
end
return finish(c, terms, now, by, false)
