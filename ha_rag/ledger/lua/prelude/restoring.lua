-- Restores a circuit that Redis lost or has an older version of.

-- The override sent by a replica; nil if there is none or it has expired.
local function active_override(now, mode, reason, by, until_ms)
  if mode == '' or (until_ms and until_ms <= now) then return nil end
  return { mode = mode, reason = reason, by = by, until_ms = until_ms }
end

-- Whether a circuit can be in this state. A replica that heard of another one must not bring it back.
local function is_possible(point, now)
  local override = point.override
  return point.epoch and point.epoch <= now + MAX_AHEAD_MS and point.changed_at_ms <= now + MAX_AHEAD_MS
    and point.left_ms <= MAX_REST_MS and point.open_count <= MAX_COUNT
    and not (override and override.until_ms and override.until_ms > now + MAX_REST_MS)
end

-- Whether two transitions have the same epoch: the compared fields do not change during an epoch.
local function conflicts(c, point)
  return c.epoch == point.epoch and ((c.state == 'closed') ~= (point.state == 'closed')
    or c.changed_at_ms ~= point.changed_at_ms or c.reason ~= point.reason or c.opened_by ~= point.opened_by)
end

-- The epochs between which transitions are missing that another replica may restore; 0, 0: none.
local function missing_range(c, terms, now)
  if now - c.changed_at_ms >= terms.lease_ms then return 0, 0 end
  return c.missed_after, c.missed_before
end

local function drop_override(c)
  c.override, c.override_mode, c.override_by = nil, '', ''
  queue(c, 'DEL', c.keys.override)
end

-- Open if either side is open with time left; the longer time counts. If either side is half-open, or open without time
-- left: open for one lease. Closed only if both sides are closed. `before`: upper end of the missing range when this
-- adds to an earlier restore.
local function restore(c, terms, now, replica, point, before)
  local running = c.state == 'open' and not c.override and math.max(0, c.open_until_ms - now) or 0
  local open_ms = math.max(running, point.state == 'open' and point.left_ms or 0)
  local override, closed = point.override, c.state == 'closed' and point.state == 'closed'
  local trigger = (open_ms == 0 and closed) and 'ledger restored' or 'ledger restored, resting'
  if override then trigger = (override.mode == 'open' and not closed) and 'forced open' or 'overridden' end
  local reason = point.reason ~= '' and point.reason or 'the ledger had lost the circuit'
  transition(c, trigger, now, reason, replica, nil, point.epoch)
  drop_override(c)
  c.open_count = math.max(c.open_count, point.open_count)
  c.missed_after, c.missed_before = point.epoch, before or c.epoch
  if point.opened_by ~= '' then c.opened_by = point.opened_by end
  if override then put_override(c, now, override) end
  if c.state ~= 'open' then return end
  if override then
    start_open_time(c, now, override.until_ms and override.until_ms - now)
  else
    start_open_time(c, now, open_ms > 0 and open_ms or terms.lease_ms)
  end
end
