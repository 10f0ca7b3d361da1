-- Adds a batch to a closed circuit's window, and decides whether the circuit opens.
local SWEEP_EVERY = 100

local function throttle_ms(requested_ms, terms) return math.min(requested_ms, terms.throttle_max_ms) end

-- Remaining time of the pause that the service asked for (429 or Retry-After), in ms.
local function throttle_left_ms(c, terms, now, b)
  if b.throttled_ms <= 0 or b.throttled_epoch ~= c.epoch then return 0 end
  local at = b.throttled_at_ms > 0 and math.min(b.throttled_at_ms, now) or now
  return math.max(0, at + throttle_ms(b.throttled_ms, terms) - now)
end

local function numbers(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = tonumber(ARGV[i]) end
  return unpack(list)
end

local function prune_buckets(c, terms, now)
  for field, bucket in pairs(c.window) do
    local times = bucket.width == terms.bucket_ms and 1 or 2
    if not in_window(bucket, now, terms.window_ms * times) then queue(c, 'HDEL', c.keys.window, field) end
  end
end

-- Adds outcomes stamped `at`, unless they are older than the window; returns whether it did. A future stamp counts as now.
local function add(c, terms, now, at, ok, failed, slow)
  local number = math.floor(math.min(at, now) / terms.bucket_ms)
  local bucket = { width = terms.bucket_ms, number = number, ok = 0, failed = 0, slow = 0 }
  if not in_window(bucket, now, terms.window_ms) then return false end
  local field = whole(terms.bucket_ms) .. ':' .. whole(number)
  bucket = c.window[field] or bucket
  bucket.ok, bucket.failed, bucket.slow = bucket.ok + ok, bucket.failed + failed, bucket.slow + slow
  c.window[field] = bucket
  queue(c, 'HSET', c.keys.window, field, whole(bucket.ok) .. ':' .. whole(bucket.failed) .. ':' .. whole(bucket.slow))
  queue_end(c, c.keys.window, 2 * terms.window_ms)
  return true
end

local function vote(c, now, name, until_ms)
  if until_ms then
    c.voters[name] = until_ms
    queue(c, 'ZADD', c.keys.voters, whole(until_ms), name)
    queue_end(c, c.keys.voters, until_ms - now)
  elseif c.voters[name] then
    c.voters[name] = nil
    queue(c, 'ZREM', c.keys.voters, name)
  end
end

local function prune_votes(c, now)
  for name, until_ms in pairs(c.voters) do
    if until_ms <= now then vote(c, now, name, nil) end
  end
end

-- Remembers the batch number against duplicates. Every SWEEP_EVERY-th batch prunes replicas that stopped reporting: two
-- windows later their outcomes are too old to be counted again.
-- Kept as "<number>:s:<at_ms>", by replicas of 0.1.0 as "<number>:<at_ms>".
local function remember_batch(c, terms, now, b)
  if b.number % SWEEP_EVERY == 0 then
    for replica, seen in pairs(pairs_of(entries(c, 'HGETALL', c.keys.batches))) do
      local at = whole_number(seen:match(':(%d+)$'), now + MAX_AHEAD_MS)
      if not at or at <= now - 2 * terms.window_ms then queue(c, 'HDEL', c.keys.batches, replica) end
    end
  end
  queue(c, 'HSET', c.keys.batches, b.replica, whole(b.number) .. ':s:' .. whole(now))
  queue_end(c, c.keys.batches, 2 * terms.window_ms)
end

-- The number of the replica's last batch, 0 if none was counted.
local function last_batch(c, now, replica)
  local seen = fetch(c, 'HGET', c.keys.batches, replica)
  if type(seen) ~= 'string' then return 0 end
  local number, at = seen:match('^(%d+):.-(%d+)$')
  return whole_number(at, now + MAX_AHEAD_MS) and whole_number(number, MAX_WHOLE) or 0
end

-- Adds the batch's tallies, which begin at ARGV[first], to the window and updates its votes. Returns the outcomes of the
-- last bucket width, or nil for a duplicate batch.
local function count_batch(c, terms, now, b, first)
  if #c.events == 0 and b.number <= last_batch(c, now, b.replica) then return nil end
  prune_buckets(c, terms, now)
  prune_votes(c, now)
  local current, recent = false, { any = false, ok = 0, failed = 0, slow = 0, overdue = 0 }
  for i = first, #ARGV, 6 do
    if tonumber(ARGV[i]) == c.epoch then
      local at, ok, failed, slow, overdue = numbers(i + 1, i + 5)
      current = add(c, terms, now, at, ok, failed, slow) or current
      -- At any age: a call that was added as overdue must be subtracted again.
      recent.overdue = recent.overdue + overdue
      if now - at < terms.bucket_ms then
        recent = { any = true, ok = recent.ok + ok, failed = recent.failed + failed, slow = recent.slow + slow,
          overdue = recent.overdue }
      end
    end
  end
  if current then vote(c, now, b.replica, b.failing and now + terms.window_ms or nil) end
  local open_for_ms = throttle_left_ms(c, terms, now, b)
  if open_for_ms > 0 then vote(c, now, '!' .. b.replica, now + open_for_ms) end
  remember_batch(c, terms, now, b)
  return recent
end

-- Number of replicas that see failures, and of those that were throttled (their votes begin with "!").
local function votes(c)
  local seen, throttled = 0, 0
  for name in pairs(c.voters) do
    if name:sub(1, 1) == '!' then throttled = throttled + 1 else seen = seen + 1 end
  end
  return seen, throttled
end

-- Returns trigger, open time in ms, open count step, reason and counts if the circuit must open, else nil. `streak`: why a
-- streak opens it, or nil.
local function judge(c, terms, now, b, jitter, streak)
  local counts, seen, throttled = total(c, terms, now), votes(c)
  local open_for_ms = throttle_left_ms(c, terms, now, b)
  if open_for_ms > 0 and throttled >= terms.quorum then
    return 'service asked for a rest', open_for_ms, 0, ('the service asked for a rest of %.0f ms'):format(open_for_ms), counts
  end
  if now < c.judges_from_ms or (terms.quorum > 1 and seen < terms.quorum) then return nil end
  local samples, open_ms = counts.samples, next_open_ms(c, terms, now, jitter)
  if samples > 0 and samples >= terms.min_samples
    and (counts.failed / samples >= terms.failure_threshold or counts.slow / samples >= terms.slow_threshold) then
    local reason = ('%.0f of %.0f failed, %.0f slow'):format(counts.failed, samples, counts.slow)
    return 'threshold reached', open_ms, 1, reason, counts
  end
  if streak then return 'streak', open_ms, 1, streak, counts end
end

-- In shadow mode: adds one event for each open time that would have started.
local function would_open(c, now, open_ms, reason, by, counts)
  if now < c.would_open_at_ms then return end
  c.would_open_at_ms, c.dirty = now + open_ms, true
  c.events[#c.events + 1] = { previous = c.epoch, epoch = c.epoch, before = 'closed', after = 'closed',
    trigger = 'would open', reason = reason, by = by, counts = counts }
end
