"""The scripts that count an experiment in Redis, by the rules of `experiment_counts.ExperimentTally`.

They use only commands that replicas run anyway. Fields are read when they are first needed and written once at the end.
Which units were seen is a bit for each place, `BITS` of them in each field of a hash.
"""

from __future__ import annotations

from ha_rag.ledger.store.replaceable import ON_SOUND_KEY

BITS = 48
"""Bits in a field: as many as a Lua number holds exactly, and a few to spare."""

_SHARED = (
    ON_SOUND_KEY
    + """
local fields, changed = {}, {}
local function add(name, number)
  if fields[name] == nil then fields[name] = tonumber(on_sound_key('HGET', KEYS[1], name) or 0) or 0 end
  fields[name] = fields[name] + number
  changed[name] = true
  return fields[name]
end
local function set(name, number)
  fields[name], changed[name] = number, true
end
local function observe(metric, arm, up)
  local open = 'block ' .. ARGV[2] .. ' ' .. metric .. ' '
  add('share ' .. metric .. ' ' .. arm .. ' n', 1)
  add('share ' .. metric .. ' ' .. arm .. ' up', up)
  add(open .. arm .. ' n', 1)
  add(open .. arm .. ' up', up)
  local a, b, full = add(open .. '0 n', 0), add(open .. '1 n', 0), tonumber(ARGV[3])
  if a < full or b < full then return end
  local information = 4 * a * b / (a + b)
  local less = add(open .. '1 up', 0) / b - add(open .. '0 up', 0) / a
  add('difference ' .. metric .. ' blocks', 1)
  add('difference ' .. metric .. ' information', information)
  add('difference ' .. metric .. ' sum', information * less)
  for k = 0, 1 do
    set(open .. k .. ' n', 0)
    set(open .. k .. ' up', 0)
  end
end
local function first(word, bit)
  local marks = tonumber(on_sound_key('HGET', KEYS[2], word) or 0) or 0
  local mark = 2 ^ tonumber(bit)
  if math.floor(marks / mark) % 2 == 1 then return false end
  redis.call('HSET', KEYS[2], word, string.format('%.0f', marks + mark))
  return true
end
local function write()
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if add('started', 0) == 0 then set('started', now) end
  set('changed', now)
  local list = {}
  for name in pairs(changed) do
    local number = fields[name]
    list[#list + 1] = name
    list[#list + 1] = string.format(number == math.floor(number) and '%.0f' or '%.9f', number)
  end
  for from = 1, #list, 1000 do
    redis.call('HSET', KEYS[1], unpack(list, from, math.min(from + 999, #list)))
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
"""
)

COUNT = (
    _SHARED
    + """
if redis.call('MGET', KEYS[3])[1] == ARGV[4] then return 0 end
local totals = tonumber(ARGV[5])
for n = 6, 5 + totals, 2 do add(ARGV[n], tonumber(ARGV[n + 1])) end
for n = 6 + totals, #ARGV do
  local arm, word, bit, shares = string.match(ARGV[n], '^(%d) (-?%d+) (%d+) (.*)$')
  if word == '-1' or first(word, bit) then
    add('units ' .. ARGV[2] .. ' ' .. arm, 1)
    for metric, up in string.gmatch(shares, '([%l_]+)=(%d)') do observe(metric, arm, tonumber(up)) end
  end
end
write()
redis.call('SET', KEYS[3], ARGV[4], 'PX', 86400000)
return 1
"""
)
"""Counts a batch. KEYS: the counts, the units that asked, the owner's last batch. ARGV: how long to keep in ms, the
split, a block's size, the batch's number, the number of totals times two, field and number of each, then for each unit:
arm, field and bit of its place (-1: asks once), and `metric=0` or `metric=1`. Returns 0 if it was counted before."""

RATE = (
    _SHARED
    + """
if not first(ARGV[5], ARGV[6]) then return 0 end
observe('liked', ARGV[4], tonumber(ARGV[7]))
write()
return 1
"""
)
"""Counts a unit's first rating. KEYS: the counts, the units that rated. ARGV: how long to keep in ms, the split, a
block's size, arm, field and bit of the unit's place, 1 if it liked the answer. Returns 0 if it was not the first."""
