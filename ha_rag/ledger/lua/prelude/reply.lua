-- Builds a verb's reply and publishes its changes.
local EVENTS_KEPT, LOG_KEPT, VOTERS_TOLD = 1000, 5000, 100

local function open_left_ms(c, now)
  if c.state ~= 'open' then return 0 end
  local override = c.override
  if override and override.mode == 'open' then return override.over and 0 or (override.until_ms and override.until_ms - now or -1) end
  return math.max(0, c.open_until_ms - now)
end

local function current_voters(c, now)
  local names = {}
  for name, until_ms in pairs(c.voters) do
    if until_ms > now and name:sub(1, 1) ~= '!' then names[#names + 1] = name end
  end
  table.sort(names)
  return { unpack(names, 1, math.min(#names, VOTERS_TOLD)) }
end

-- The circuit's snapshot: a flat list of strings, in the order in which `codec.py` decodes them.
local function snapshot(c, terms, now)
  local after, before = missing_range(c, terms, now)
  local left, counts = open_left_ms(c, now), total(c, terms, now)
  local count, first = running_probes(c, now)
  local override = c.override and not c.override.over and c.override or { mode = '', reason = '', by = '' }
  local state = c.state == 'open' and left == 0 and 'half_open' or c.state
  local flat = { whole(now), state, whole(c.epoch), whole(left), whole(recent_open_count(c, terms, now)), c.reason,
    c.opened_by, whole(c.changed_at_ms), whole(c.probe_successes), whole(count >= terms.probes and first - now or 0), whole(after), whole(before),
    whole(counts.ok), whole(counts.failed), whole(counts.slow), override.mode, override.reason, override.by,
    override.until_ms and whole(override.until_ms) or '' }
  for _, name in ipairs(current_voters(c, now)) do flat[#flat + 1] = name end
  return flat
end

local function is_error(answer) return type(answer) == 'table' and answer.err ~= nil end

-- Adds an entry to a stream; returns whether Redis refused it. A key that is no such stream is replaced: one of another
-- type, or one whose last id is so far ahead of the clock that readers would miss what comes after it.
local function append(key, kept, ...)
  local answer = redis.pcall('XADD', key, 'MAXLEN', '~', kept, '*', ...)
  local problem, at = is_error(answer) and answer.err, not is_error(answer) and whole_number(answer:match('^%d+'), stream_now_ms() + MAX_AHEAD_MS)
  local is_foreign = problem and (problem:find('WRONGTYPE', 1, true) or problem:find('exhausted', 1, true)
    or problem:find('equal or smaller', 1, true))
  if is_foreign or (not problem and not at) then
    redis.call('DEL', key)
    answer = redis.pcall('XADD', key, 'MAXLEN', '~', kept, '*', ...)
  end
  return is_error(answer)
end

-- Adds the change to the log that replicas poll. On a cluster there is none: its key would be on another node.
local function log_change(c)
  local key = KEYS[#PARTS + 1]
  return key and append(key, LOG_KEPT, 'circuit', c.name, 'previous_epoch', whole(c.known_epoch), 'epoch', whole(c.epoch))
end

-- Scripts do not roll back, so changes are published after they are written, and a failure to publish is only reported.
-- Returns '0': nothing to publish, '1': Redis refused to publish, '2': published.
local function publish(c, flat)
  if not c.touched and #c.events == 0 then return '0' end
  local unpublished = false
  for _, e in ipairs(c.events) do
    unpublished = append(c.keys.events, EVENTS_KEPT,
      'previous_epoch', whole(e.previous), 'epoch', whole(e.epoch), 'from', e.before, 'to', e.after,
      'trigger', e.trigger, 'reason', e.reason, 'by', e.by,
      'ok', whole(e.counts.ok), 'failed', whole(e.counts.failed), 'slow', whole(e.counts.slow),
      'until', e.until_ms and whole(e.until_ms) or '') or unpublished
  end
  unpublished = log_change(c) or unpublished
  local message = cjson.encode({ c.name, whole(c.known_epoch), unpack(flat) })
  unpublished = is_error(redis.pcall('PUBLISH', c.namespace .. ':changes', message)) or unpublished
  return unpublished and '1' or '2'
end

-- Saves the circuit, publishes its changes and returns the reply: granted, wait in ms, unpublished, and the snapshot.
local function finish(c, terms, now, replica, granted)
  save(c)
  local flat = snapshot(c, terms, now)
  local unpublished = publish(c, flat)
  local wait = lease_wait_ms(c, terms, now, replica)
  return { granted and '1' or '0', whole(wait or -1), unpublished, unpack(flat) }
end
