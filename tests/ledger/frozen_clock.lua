-- Replaces prelude/clock.lua: the time changes only when a test changes it (bench.py).
-- A key's end in that time is stored in a separate hash; its real TTL only marks that it has an end.
local TESTS = KEYS[1]:match('^(.-):{') .. ':test:'

local function now_ms() return tonumber(redis.call('GET', TESTS .. 'now')) end

local function stream_now_ms() return tonumber(redis.call('TIME')[1]) * 1000 + 999 end

local function left_ms(key)
  local left = redis.call('PTTL', key)
  if left == -2 then return 0 end
  if left == -1 then return -1 end
  return math.max(0, tonumber(redis.call('HGET', TESTS .. 'ends', key)) - now_ms())
end

local function end_in(key, ms)
  redis.call('PEXPIRE', key, ms > 0 and 86400000 or 0)
  if ms <= 0 then return redis.call('HDEL', TESTS .. 'ends', key) end
  redis.call('HSET', TESTS .. 'ends', key, string.format('%.0f', now_ms() + ms))
end
