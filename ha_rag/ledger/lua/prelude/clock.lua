-- The clock: the only file that reads Redis's time or sets a TTL. Tests replace it.
--   now_ms()            Redis's time, Unix ms
--   stream_now_ms()     the time by which Redis stamps entries of streams: the same, except in tests
--   left_ms(key)        the key's TTL in ms; 0 if it does not exist, -1 if it has none
--   end_in(key, ms)     sets the key's TTL; 0 or less deletes it
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function stream_now_ms() return now_ms() end

local function left_ms(key)
  local left = redis.call('PTTL', key)
  return left == -2 and 0 or left
end

local function end_in(key, ms)
  redis.call('PEXPIRE', key, string.format('%.0f', ms))
end
