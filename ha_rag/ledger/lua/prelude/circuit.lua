-- The circuit: what the keys of one circuit say, as one table, and the writes that a verb decides on.
-- Loading only reads. A verb changes the table and queues its writes; `save` sends them, so a refusal sends none.
local PARTS = { 'circuit', 'open', 'window', 'voters', 'probes', 'override', 'batches', 'events' }
local NUMBERS = { 'epoch', 'changed_at_ms', 'opened_at_ms', 'open_for_ms', 'open_count', 'probe_successes',
  'probe_slow', 'lost_at_ms', 'would_open_at_ms', 'missed_after',
  'missed_before' }
-- Kept as "<epoch>:<number>".
local STAMPED = { 'slowest_probe_ms', 'judges_from_ms' }
local TEXTS = { 'reason', 'opened_by', 'lost_by', 'override_mode', 'override_by' }

-- An epoch has 13 digits, and Lua would round it to 14: written out in full, always.
local function whole(number) return string.format('%.0f', number) end

local function pairs_of(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

local function scores(key)
  local map = pairs_of(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'))
  for member, score in pairs(map) do map[member] = tonumber(score) end
  return map
end

-- What replicas of 0.1.0 know nothing of is kept with the epoch that wrote it, so that their transitions void it.
local function stamped(hash, field, epoch)
  local stamp, rest = (hash[field] or ''):match('^(%d+):(.*)$')
  return stamp and tonumber(stamp) == epoch and rest or nil
end

-- "<epoch>:<bad>:<good>:<since_ms>".
local function load_streak(hash, field, epoch)
  local bad, good, since = (stamped(hash, field, epoch) or ''):match('^(%d+):(%d+):(%d+)$')
  return { bad = tonumber(bad or 0), good = tonumber(good or 0), since = tonumber(since or 0) }
end

-- An operator's word. Its mode stands in the circuit's hash too: mode without key is a word whose time is up.
local function load_override(c, now)
  if c.override_mode == '' then return end
  local left = left_ms(c.keys.override)
  local said = redis.call('HMGET', c.keys.override, 'reason', 'by')
  c.override = { mode = c.override_mode, by = said[2] or c.override_by, reason = said[1] or '',
    until_ms = left >= 0 and now + left or nil, over = left == 0 }
end

-- The rest that is left is the time to live of `:open`; an operator's word carries its own end.
local function load_rest(c, now)
  c.open_until_ms = now
  if c.state == 'open' and not c.override then c.open_until_ms = now + math.max(0, left_ms(c.keys.open)) end
end

local function load_window(key)
  local window = {}
  for field, packed in pairs(pairs_of(redis.call('HGETALL', key))) do
    local width, number = field:match('^(%d+):(%d+)$')
    local ok, failed, slow = packed:match('^(%d+):(%d+):(%d+)$')
    window[field] = { width = tonumber(width), number = tonumber(number),
      ok = tonumber(ok), failed = tonumber(failed), slow = tonumber(slow) }
  end
  return window
end

-- A lease is kept as "<epoch>:<token>", since it belongs to the epoch that granted it.
local function load_leases(key)
  local leases = {}
  for member, until_ms in pairs(scores(key)) do
    local epoch, token = member:match('^(%d+):(.*)$')
    leases[token] = { until_ms = until_ms, epoch = tonumber(epoch), member = member }
  end
  return leases
end

-- The circuit whose keys begin at KEYS[first].
local function load(first, now)
  local c = { keys = {}, writes = {}, events = {}, touched = false }
  for i, part in ipairs(PARTS) do c.keys[part] = KEYS[first + i - 1] end
  c.namespace, c.name = c.keys.circuit:match('^(.-):{(.-)}:circuit$')
  local hash = pairs_of(redis.call('HGETALL', c.keys.circuit))
  for _, field in ipairs(NUMBERS) do c[field] = tonumber(hash[field] or 0) end
  for _, field in ipairs(TEXTS) do c[field] = hash[field] or '' end
  c.state, c.known_epoch = hash.state or 'closed', c.epoch
  c.streak, c.slow_streak = load_streak(hash, 'streak', c.epoch), load_streak(hash, 'slow_streak', c.epoch)
  for _, field in ipairs(STAMPED) do c[field] = tonumber(stamped(hash, field, c.epoch) or 0) end
  load_override(c, now)
  load_rest(c, now)
  c.window, c.voters, c.leases = load_window(c.keys.window), scores(c.keys.voters), load_leases(c.keys.probes)
  return c
end

local function queue(c, ...) c.writes[#c.writes + 1] = { ... } end

-- The key ends in ms, or at its own end where that comes later: policies differ in a rolling deploy.
local function queue_end(c, key, ms) c.writes[#c.writes + 1] = { 'end', key, ms } end

local function send(write)
  if write[1] ~= 'end' then return redis.call(unpack(write)) end
  local left = left_ms(write[2])
  if left ~= -1 and left >= write[3] then return end
  end_in(write[2], write[3])
end

-- The hash has no end: a circuit that ended by itself would read as one that a flush took, and be taught back.
local function save(c)
  if c.dirty then
    local fields = { 'HSET', c.keys.circuit, 'state', c.state }
    for _, name in ipairs(NUMBERS) do fields[#fields + 1] = name; fields[#fields + 1] = whole(c[name]) end
    for _, name in ipairs(TEXTS) do fields[#fields + 1] = name; fields[#fields + 1] = c[name] end
    for _, name in ipairs(STAMPED) do fields[#fields + 1] = name; fields[#fields + 1] = whole(c.epoch) .. ':' .. whole(c[name]) end
    redis.call(unpack(fields))
  end
  for _, write in ipairs(c.writes) do send(write) end
end
