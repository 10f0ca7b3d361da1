-- What a verb answers, and what it tells the others.
local EVENTS_KEPT, VOTERS_TOLD = 1000, 100

local function rest_left_ms(c, now)
  if c.state ~= 'open' then return 0 end
  local word = c.override
  if word and word.mode == 'open' then return word.over and 0 or (word.until_ms and word.until_ms - now or -1) end
  return math.max(0, c.open_until_ms - now)
end

local function seen_by(c, now)
  local names = {}
  for name, until_ms in pairs(c.voters) do
    if until_ms > now and name:sub(1, 1) ~= '!' then names[#names + 1] = name end
  end
  table.sort(names)
  return { unpack(names, 1, math.min(#names, VOTERS_TOLD)) }
end

-- The circuit as it reads now: flat, every item a string, in the order in which `replies.py` takes them.
local function snapshot(c, terms, now)
  local after, before = missed(c, terms, now)
  local left, counts = rest_left_ms(c, now), total(c, terms, now)
  local count, first = standing(c, now)
  local word = c.override and not c.override.over and c.override or { mode = '', reason = '', by = '' }
  local state = c.state == 'open' and left == 0 and 'half_open' or c.state
  local flat = { whole(now), state, whole(c.epoch), whole(left), whole(openings(c, terms, now)), c.reason,
    c.opened_by, whole(c.changed_at_ms), whole(c.probe_successes), whole(count >= terms.probes and first - now or 0), whole(after), whole(before),
    whole(counts.ok), whole(counts.failed), whole(counts.slow), word.mode, word.reason, word.by,
    word.until_ms and whole(word.until_ms) or '' }
  for _, name in ipairs(seen_by(c, now)) do flat[#flat + 1] = name end
  return flat
end

local function refused(answer) return type(answer) == 'table' and answer.err ~= nil end

-- LuaScripts do not roll back: what is told comes after what is written, and a refusal to tell it is only reported:
-- '1' where it was refused, '2' where all was told, '0' where there was nothing to tell.
local function tell(c, flat)
  if not c.touched and #c.events == 0 then return '0' end
  local unpublished = false
  for _, e in ipairs(c.events) do
    unpublished = refused(redis.pcall('XADD', c.keys.events, 'MAXLEN', '~', EVENTS_KEPT, '*',
      'previous_epoch', whole(e.previous), 'epoch', whole(e.epoch), 'from', e.before, 'to', e.after,
      'trigger', e.trigger, 'reason', e.reason, 'by', e.by,
      'ok', whole(e.counts.ok), 'failed', whole(e.counts.failed), 'slow', whole(e.counts.slow))) or unpublished
  end
  local message = cjson.encode({ c.name, whole(c.known_epoch), unpack(flat) })
  unpublished = refused(redis.pcall('PUBLISH', c.namespace .. ':changes', message)) or unpublished
  return unpublished and '1' or '2'
end

-- Writes what the verb decided, tells of it and answers: granted, wait in ms, unpublished, and the snapshot.
local function done(c, terms, now, replica, granted)
  save(c)
  local flat = snapshot(c, terms, now)
  local unpublished = tell(c, flat)
  local wait = lease_wait_ms(c, terms, now, replica)
  return { granted and '1' or '0', whole(wait or -1), unpublished, unpack(flat) }
end
