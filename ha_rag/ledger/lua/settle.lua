-- settle: a probe's end. Closes, opens again, or only gives the lease back (another epoch's, or a cancelled one's).
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- ARGV 1-14  terms (terms.py)
--      replica       incarnation that probed
--      token         of its lease; an expired, spent or foreign one changes nothing
--      outcome       ok, slow, failed, timeout, throttled, invalid or cancelled
--      throttled_ms  rest that the service asked for, in ms; 0: none
--      jitter        share, 0 to 1
--      took_ms       how long the probe took
-- Returns granted, wait_ms, unpublished, snapshot (replies.py)
-- Called by RedisLedger.settle
local now, terms = now_ms(), terms_at(1)
local replica, token, outcome = arg(1), arg(2), arg(3)
local throttled_ms, jitter = tonumber(arg(4)), tonumber(arg(5))
local c = load(1, now)
local held = c.leases[token]
if not held or not stands(held, now) then return done(c, terms, now, replica, false) end
lapse(c, now)
local epoch = held.epoch
give_back(c, token)
if epoch == c.epoch and c.state == 'half_open' and outcome ~= 'cancelled' then
  if outcome == 'ok' or outcome == 'invalid' or slow_but_bearable(c, terms, outcome) then
    win(c, terms, now, replica, outcome, tonumber(arg(6)))
  else
    lose(c, terms, now, replica, outcome, throttled_ms, jitter)
  end
end
return done(c, terms, now, replica, false)
