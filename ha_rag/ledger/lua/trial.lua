-- trial: writes to a key of its own and deletes it, as verbs write, so it is refused where they are. Changes no circuit.
-- KEYS 1-8   the circuit's keys (keys.py PARTS)
-- KEYS 9     the key to try
-- ARGV 1-14  terms (terms.py)
-- Returns granted, wait_ms, unpublished, snapshot (codec.py); the first three always 0
-- Called by RedisLedger.trial
local now, terms, key = now_ms(), terms_at(1), KEYS[#PARTS + 1]
local c = load(1, now)
if c.invalid then return refuse(c) end
-- Each write is one that some verb needs.
local WRITES = { { 'SET', key, '1' }, { 'end', key, 1000 }, { 'DEL', key }, { 'HSET', key, 'trial', '1' },
  { 'HDEL', key, 'trial' }, { 'ZADD', key, '1', 'trial' }, { 'ZREM', key, 'trial' } }
local ok, why
for _, write in ipairs(WRITES) do
  ok, why = pcall(execute, write)
  if not ok then break end
end
pcall(end_in, key, 0)  -- deletes it, if DEL is what was refused
redis.pcall('DEL', key)
if not ok then error(why, 0) end
return { '0', '0', '0', unpack(snapshot(c, terms, now)) }
