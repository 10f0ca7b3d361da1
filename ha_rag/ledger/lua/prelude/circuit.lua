-- The circuit: one table with the contents of the circuit's keys, and the queued writes.
-- `load` only reads. A verb changes the table and queues writes; `save` executes them, so a refusal writes nothing.
local PARTS = { 'circuit', 'open', 'window', 'voters', 'probes', 'override', 'batches', 'events' }
local NUMBERS = { 'epoch', 'changed_at_ms', 'opened_at_ms', 'open_for_ms', 'open_count', 'probe_successes',
  'probe_slow', 'lost_at_ms', 'would_open_at_ms', 'missed_after',
  'missed_before' }
-- Those that are times or epochs: at most so far ahead of Redis's clock. The others have their own largest value.
local AHEAD_MS = { epoch = MAX_AHEAD_MS, changed_at_ms = MAX_AHEAD_MS, opened_at_ms = MAX_AHEAD_MS, lost_at_ms = MAX_AHEAD_MS,
  missed_after = MAX_AHEAD_MS, missed_before = MAX_AHEAD_MS, would_open_at_ms = MAX_REST_MS, judges_from_ms = MAX_REST_MS }
local LARGEST = { open_for_ms = MAX_REST_MS, slowest_probe_ms = MAX_REST_MS }
local STATES = { closed = true, open = true, half_open = true }
local MODES = { [''] = true, open = true, closed = true, disabled = true, shadow = true }
-- Stored as "<epoch>:<number>".
local STAMPED = { 'slowest_probe_ms', 'judges_from_ms' }
local TEXTS = { 'reason', 'opened_by', 'lost_by', 'override_mode', 'override_by' }
local FIELDS = { 'state', 'streak', 'slow_streak' }
for _, names in ipairs({ NUMBERS, STAMPED, TEXTS }) do
  for _, name in ipairs(names) do FIELDS[#FIELDS + 1] = name end
end

-- Formats an integer in full: Lua's default keeps only 14 significant digits, and an epoch has 13.
local function whole(number) return string.format('%.0f', number) end

local function pairs_of(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- The circuit's hash: the fields that are known, however many others there are.
local function load_hash(c)
  local hash, values = {}, fetch(c, 'HMGET', c.keys.circuit, unpack(FIELDS))
  for i, name in ipairs(FIELDS) do hash[name] = values[i] or nil end
  return hash
end

-- The members of a sorted set of ends, and when each ends. Skips what no replica wrote.
local function ends(c, key, now)
  local map = {}
  for member, score in pairs(pairs_of(entries(c, 'ZRANGE', key, 0, MAX_MEMBERS, 'WITHSCORES'))) do
    local until_ms = whole_number(score, now + MAX_REST_MS)
    if until_ms and #member <= MAX_NAME and member ~= '' then map[member] = until_ms end
  end
  return map
end

local function highest(field, now) return AHEAD_MS[field] and now + AHEAD_MS[field] or LARGEST[field] or MAX_COUNT end

-- Fields unknown to 0.1.0 are stored with their epoch, so that a transition made by a 0.1.0 replica invalidates them.
local function value_of_epoch(hash, field, epoch)
  local stamp, value = (hash[field] or ''):match('^(%d+):(.*)$')
  return stamp and tonumber(stamp) == epoch and value or nil
end

-- "<epoch>:<bad>:<good>:<since_ms>".
local function load_streak(hash, field, epoch, now)
  local bad, good, since = (value_of_epoch(hash, field, epoch) or ''):match('^(%d+):(%d+):(%d+)$')
  bad, good, since = whole_number(bad, MAX_COUNT), whole_number(good, MAX_COUNT), whole_number(since, now + MAX_AHEAD_MS)
  if not (bad and good and since) then return { bad = 0, good = 0, since = 0 } end
  return { bad = bad, good = good, since = since }
end

-- The override. Its mode is also in the circuit's hash: a mode without the override's key means that it expired.
local function load_override(c, now)
  if c.override_mode == '' then return end
  local left = left_ms(c.keys.override)
  local fields = fetch(c, 'HMGET', c.keys.override, 'reason', 'by')
  if left > MAX_REST_MS then invalid(c, 'the override lasts too long') end
  if #(fields[1] or '') > MAX_TEXT or #(fields[2] or '') > MAX_TEXT then invalid(c, 'the override has too long a text') end
  c.override = { mode = c.override_mode, by = fields[2] or c.override_by, reason = fields[1] or '',
    until_ms = left >= 0 and now + left or nil, over = left == 0 }
end

-- The remaining open time is the TTL of `:open`; an override has its own end.
local function load_open_until(c, now)
  c.open_until_ms = now
  if c.state ~= 'open' or c.override then return end
  local left = math.max(0, left_ms(c.keys.open))
  if left > MAX_REST_MS then invalid(c, 'the open duration is too long') end
  c.open_until_ms = now + left
end

local function load_window(c, now)
  local window = {}
  for field, packed in pairs(pairs_of(entries(c, 'HGETALL', c.keys.window))) do
    local width, number = field:match('^(%d+):(%d+)$')
    local ok, failed, slow = packed:match('^(%d+):(%d+):(%d+)$')
    width, number = whole_number(width, MAX_REST_MS), whole_number(number, now + MAX_AHEAD_MS)
    ok, failed, slow = whole_number(ok, MAX_COUNT), whole_number(failed, MAX_COUNT), whole_number(slow, MAX_COUNT)
    if width and number and ok and failed and slow and width * number <= now + MAX_AHEAD_MS then
      window[field] = { width = width, number = number, ok = ok, failed = failed, slow = slow }
    end
  end
  return window
end

-- A lease is stored as "<epoch>:<token>", because it belongs to the epoch that granted it.
local function load_leases(c, now)
  local leases = {}
  for member, until_ms in pairs(ends(c, c.keys.probes, now)) do
    local epoch, token = member:match('^(%d+):(.*)$')
    epoch = whole_number(epoch, now + MAX_AHEAD_MS)
    if epoch then leases[token] = { until_ms = until_ms, epoch = epoch, member = member } end
  end
  return leases
end

-- The circuit whose keys begin at KEYS[first].
local function load(first, now)
  local c = { keys = {}, writes = {}, events = {}, touched = false }
  for i, part in ipairs(PARTS) do c.keys[part] = KEYS[first + i - 1] end
  c.namespace, c.name = c.keys.circuit:match('^(.-):{(.-)}:circuit$')
  local hash = load_hash(c)
  for _, field in ipairs(NUMBERS) do c[field] = number_field(c, hash, field, highest(field, now)) end
  for _, field in ipairs(TEXTS) do c[field] = text_field(c, hash, field) end
  c.state, c.known_epoch = hash.state or 'closed', c.epoch
  if not STATES[c.state] then invalid(c, 'its state is none of a circuit') end
  if not MODES[c.override_mode] then invalid(c, 'its override is none of a circuit') end
  c.streak, c.slow_streak = load_streak(hash, 'streak', c.epoch, now), load_streak(hash, 'slow_streak', c.epoch, now)
  for _, field in ipairs(STAMPED) do c[field] = whole_number(value_of_epoch(hash, field, c.epoch), highest(field, now)) or 0 end
  load_override(c, now)
  load_open_until(c, now)
  c.window, c.voters, c.leases = load_window(c, now), ends(c, c.keys.voters, now), load_leases(c, now)
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
