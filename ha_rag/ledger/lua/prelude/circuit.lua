-- The circuit: one table with the contents of the circuit's keys, and the queued writes.
-- `load` only reads. A verb changes the table and queues writes; `save` executes them, so a refusal writes nothing.
local PARTS = { 'circuit', 'open', 'window', 'voters', 'probes', 'override', 'batches', 'events' }
local NUMBERS = { 'epoch', 'changed_at_ms', 'opened_at_ms', 'open_for_ms', 'open_count', 'probe_successes',
  'probe_slow', 'lost_at_ms', 'would_open_at_ms', 'missed_after',
  'missed_before' }
-- Stored as "<epoch>:<number>".
local STAMPED = { 'slowest_probe_ms', 'judges_from_ms' }
local TEXTS = { 'reason', 'opened_by', 'lost_by', 'override_mode', 'override_by' }

-- Formats an integer in full: Lua's default keeps only 14 significant digits, and an epoch has 13.
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

-- Fields unknown to 0.1.0 are stored with their epoch, so that a transition made by a 0.1.0 replica invalidates them.
local function value_of_epoch(hash, field, epoch)
  local stamp, value = (hash[field] or ''):match('^(%d+):(.*)$')
  return stamp and tonumber(stamp) == epoch and value or nil
end

-- "<epoch>:<bad>:<good>:<since_ms>".
local function load_streak(hash, field, epoch)
  local bad, good, since = (value_of_epoch(hash, field, epoch) or ''):match('^(%d+):(%d+):(%d+)$')
  return { bad = tonumber(bad or 0), good = tonumber(good or 0), since = tonumber(since or 0) }
end

-- The override. Its mode is also in the circuit's hash: a mode without the override's key means that it expired.
local function load_override(c, now)
  if c.override_mode == '' then return end
  local left = left_ms(c.keys.override)
  local fields = redis.call('HMGET', c.keys.override, 'reason', 'by')
  c.override = { mode = c.override_mode, by = fields[2] or c.override_by, reason = fields[1] or '',
    until_ms = left >= 0 and now + left or nil, over = left == 0 }
end

-- The remaining open time is the TTL of `:open`; an override has its own end.
local function load_open_until(c, now)
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

-- A lease is stored as "<epoch>:<token>", because it belongs to the epoch that granted it.
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
  for _, field in ipairs(STAMPED) do c[field] = tonumber(value_of_epoch(hash, field, c.epoch) or 0) end
  load_override(c, now)
  load_open_until(c, now)
  c.window, c.voters, c.leases = load_window(c.keys.window), scores(c.keys.voters), load_leases(c.keys.probes)
  return c
end

local function queue(c, ...) c.writes[#c.writes + 1] = { ... } end

-- Sets the key's TTL, unless it already has a longer one: policies may differ during a rolling deploy.
local function queue_end(c, key, ms) c.writes[#c.writes + 1] = { 'end', key, ms } end

local function execute(write)
  if write[1] ~= 'end' then return redis.call(unpack(write)) end
  local left = left_ms(write[2])
  if left ~= -1 and left >= write[3] then return end
  end_in(write[2], write[3])
end

-- The hash has no TTL: an expired circuit would look like one lost by a flush, and replicas would restore it.
local function save(c)
  if c.dirty then
    local fields = { 'HSET', c.keys.circuit, 'state', c.state }
    for _, name in ipairs(NUMBERS) do fields[#fields + 1] = name; fields[#fields + 1] = whole(c[name]) end
    for _, name in ipairs(TEXTS) do fields[#fields + 1] = name; fields[#fields + 1] = c[name] end
    for _, name in ipairs(STAMPED) do fields[#fields + 1] = name; fields[#fields + 1] = whole(c.epoch) .. ':' .. whole(c[name]) end
    redis.call(unpack(fields))
  end
  for _, write in ipairs(c.writes) do execute(write) end
end
