-- lease: grants a probe, or refuses and writes nothing. A circuit becomes half-open only with a grant.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the change log; not on a cluster
-- ARGV 1-14  terms (terms.py)
--      replica      incarnation that requests the lease
--      known_epoch  last epoch it received: a Redis with a lower epoch has lost state, and grants nothing
--      token        random name of the lease
--      spare_ms     how much longer than a probe the lease is to be held, until a call comes; 0 if absent
-- Returns granted, wait_ms, unpublished, snapshot (codec.py)
-- Called by RedisLedger.lease
local now, terms = now_ms(), terms_at(1)
local replica, known_epoch, token, spare_ms = arg(1), tonumber(arg(2)), arg(3), tonumber(arg(4) or 0)
local c = load(1, now)
if c.invalid then return refuse(c) end
local before = c.leases[token]
local is_spent = before and before.until_ms > now and not is_running(before, now)
local is_behind = known_epoch > c.epoch
expire_override(c, now)
if is_spent or is_behind or lease_wait_ms(c, terms, now, replica) ~= 0 then
  return finish(load(1, now), terms, now, replica, false)
end
if c.state == 'open' then transition(c, 'probe granted', now, 'the recovery timeout is over', replica) end
grant(c, now, token, terms.lease_ms + spare_ms)
return finish(c, terms, now, replica, true)
