-- What a Redis that lost its memory is taught.

-- An operator's word as a replica heard it; nil where there was none, or its time is up.
local function word_of(now, mode, reason, by, until_ms)
  if mode == '' or (until_ms and until_ms <= now) then return nil end
  return { mode = mode, reason = reason, by = by, until_ms = until_ms }
end

-- Whether one epoch names two transitions: what is compared stays as it is while an epoch lasts.
local function tied(c, belief)
  return c.epoch == belief.epoch and ((c.state == 'closed') ~= (belief.state == 'closed')
    or c.changed_at_ms ~= belief.changed_at_ms or c.reason ~= belief.reason or c.opened_by ~= belief.opened_by)
end

-- Transitions between these epochs are missing, and another replica may add them; 0, 0: nobody may any more.
local function missed(c, terms, now)
  if now - c.changed_at_ms >= terms.lease_ms then return 0, 0 end
  return c.missed_after, c.missed_before
end

local function drop_override(c)
  c.override, c.override_mode, c.override_by = nil, '', ''
  queue(c, 'DEL', c.keys.override)
end

-- Open where either side is open and still running: the longer rest counts. Half-open, or open with its time up, on
-- either side comes back as open for one lease. Closed only where both sides are closed. `before`: of what is missing,
-- where an earlier lesson is added to.
local function restore(c, terms, now, replica, belief, before)
  local running = c.state == 'open' and not c.override and math.max(0, c.open_until_ms - now) or 0
  local open_ms = math.max(running, belief.state == 'open' and belief.left_ms or 0)
  local word, closed = belief.override, c.state == 'closed' and belief.state == 'closed'
  local trigger = (open_ms == 0 and closed) and 'ledger restored' or 'ledger restored, resting'
  if word then trigger = word.mode == 'open' and 'forced open' or 'overridden' end
  local reason = belief.reason ~= '' and belief.reason or 'the ledger had lost its memory'
  change(c, trigger, now, reason, replica, nil, belief.epoch)
  drop_override(c)
  c.open_count = math.max(c.open_count, belief.open_count)
  c.missed_after, c.missed_before = belief.epoch, before or c.epoch
  if belief.opened_by ~= '' then c.opened_by = belief.opened_by end
  if word then put_override(c, now, word) end
  if c.state ~= 'open' then return end
  if word then rest(c, now, word.until_ms and word.until_ms - now) else rest(c, now, open_ms > 0 and open_ms or terms.lease_ms) end
end
