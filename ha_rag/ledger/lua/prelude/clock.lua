-- The clock: the only place that asks Redis for the time, or that gives a key an end. Tests put another in its place.
--   now_ms()            ms since 1970 by this Redis
--   left_ms(key)        ms until the key ends; 0 where it is gone, -1 where it has no end
--   end_in(key, ms)     the key ends in ms; 0 or less: at once
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function left_ms(key)
  local left = redis.call('PTTL', key)
  return left == -2 and 0 or left
end

local function end_in(key, ms)
  redis.call('PEXPIRE', key, string.format('%.0f', ms))
end
