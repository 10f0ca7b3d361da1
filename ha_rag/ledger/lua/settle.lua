-- settle: records a probe's outcome: closes or reopens the circuit, or only returns the lease (other epoch, cancelled).
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the change log; not on a cluster
-- ARGV 1-14  terms (terms.py)
--      replica       incarnation that probed
--      token         of its lease; an expired, ended or unknown one changes nothing
--      outcome       ok, slow, failed, timeout, throttled, invalid or cancelled
--      throttled_ms  pause that the service asked for, in ms; 0: none
--      jitter        share, 0 to 1
--      took_ms       duration of the probe
-- Returns granted, wait_ms, unpublished, snapshot (codec.py)
-- Called by RedisLedger.settle
local now, terms = now_ms(), terms_at(1)
local replica, token, outcome = arg(1), arg(2), arg(3)
local throttled_ms, jitter = tonumber(arg(4)), tonumber(arg(5))
local c = load(1, now)
if c.invalid then return refuse(c) end
local lease = c.leases[token]
if not lease or not is_running(lease, now) then return finish(c, terms, now, replica, false) end
expire_override(c, now)
local epoch = lease.epoch
return_lease(c, token)
if epoch == c.epoch and c.state == 'half_open' and outcome ~= 'cancelled' then
  if outcome == 'ok' or outcome == 'invalid' or is_tolerably_slow(c, terms, outcome) then
    probe_succeeded(c, terms, now, replica, outcome, tonumber(arg(6)))
  else
    probe_failed(c, terms, now, replica, outcome, throttled_ms, jitter)
  end
end
return finish(c, terms, now, replica, false)
