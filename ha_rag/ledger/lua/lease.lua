-- lease: grants a probe, or refuses and writes nothing. Half-open is entered only together with a grant.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- ARGV 1-14  terms (terms.py)
--      replica      incarnation that asks
--      known_epoch  the last epoch it heard: a Redis behind it has forgotten, and grants nothing
--      token        names the lease, random
-- Returns granted, wait_ms, unpublished, snapshot (replies.py)
-- Called by RedisLedger.lease
local now, terms = now_ms(), terms_at(1)
local replica, known_epoch, token = arg(1), tonumber(arg(2)), arg(3)
local c = load(1, now)
local before = c.leases[token]
local spent = before and before.until_ms > now and not stands(before, now)
local behind = known_epoch > c.epoch
lapse(c, now)
if spent or behind or lease_wait_ms(c, terms, now, replica) ~= 0 then
  return done(load(1, now), terms, now, replica, false)
end
if c.state == 'open' then change(c, 'probe granted', now, 'the rest is over', replica) end
grant(c, now, token, terms.lease_ms)
return done(c, terms, now, replica, true)
