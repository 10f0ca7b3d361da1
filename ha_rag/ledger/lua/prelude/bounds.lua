-- What the numbers and texts of a circuit can be (`ha_rag/circuit/bounds.py`), and how stored ones are read.
-- Any client may have written the keys. A circuit with a field beyond its bounds is `invalid`: verbs refuse it, except an
-- operator's override, which replaces it. A foreign entry of a hash or a sorted set is skipped, and so is a foreign field.
local MAX_WHOLE, MAX_AHEAD_MS, MAX_REST_MS = 9007199254740991, 3600000, 2595600000
local MAX_COUNT, MAX_TEXT, MAX_NAME, MAX_MEMBERS = 1000000000, 65536, 300, 20000

local function invalid(c, why) c.invalid = c.invalid or why end

-- The number that `text` spells in decimal digits, from 0 to `high`; else nil. A double holds no more than 2^53.
local function whole_number(text, high)
  local number = text and #text <= 16 and text:match('^%d+$') and tonumber(text)
  return number and number <= high and number or nil
end

-- A field of the circuit's hash; 0 if it is absent.
local function number_field(c, hash, field, high)
  local text = hash[field]
  if not text then return 0 end
  local number = whole_number(text, high)
  if not number then invalid(c, field .. ' is beyond its bounds') end
  return number or 0
end

local function text_field(c, hash, field)
  local text = hash[field] or ''
  if #text > MAX_TEXT then invalid(c, field .. ' is too long') end
  return text
end

-- Runs a command that reads a key. A key of another type makes the circuit invalid; other errors end the script.
local function fetch(c, command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if not answer.err:find('WRONGTYPE', 1, true) then return redis.call(command, key, ...) end
  invalid(c, 'a key has another type')
  return {}
end

-- The entries of a hash or a sorted set, as the command returns them. A key with more than a fleet can write is deleted:
-- reading it would stop Redis again with each verb, and replicas write anew what they need.
local function entries(c, command, key, ...)
  local flat = fetch(c, command, key, ...)
  if #flat <= 2 * MAX_MEMBERS then return flat end
  redis.pcall('DEL', key)
  return {}
end

-- The error of a verb that refuses an invalid circuit.
local function refuse(c)
  return redis.error_reply('INVALID circuit ' .. c.name .. ' in Redis: ' .. c.invalid)
end
