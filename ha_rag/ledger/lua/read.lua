-- read: the current snapshots of circuits. Never writes, but deletes keys of more entries than a fleet has (bounds.lua).
-- KEYS 1-8   the first circuit's keys (keys.py PARTS), then the next one's, and so on
-- ARGV 1-14  the first circuit's terms (terms.py), then the next one's, and so on
-- Returns for each circuit: granted, wait_ms, unpublished, snapshot (codec.py); the first three always 0. For an invalid
-- one: "invalid" and why.
-- Called by RedisLedger.read
local now, answers = now_ms(), {}
for i = 1, #KEYS / #PARTS do
  local c = load((i - 1) * #PARTS + 1, now)
  local terms = terms_at((i - 1) * #TERMS + 1)
  answers[i] = c.invalid and { 'invalid', c.invalid } or { '0', '0', '0', unpack(snapshot(c, terms, now)) }
end
return answers
