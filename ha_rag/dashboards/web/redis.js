// Redis's own health, as the process behind this page sees it.

import { figures, one } from "./dom.js";
import { bytes, ms } from "./words.js";

export function showRedis(redis) {
  const line = one("#redis .state-line");
  const state = !redis.configured ? "local" : redis.reachable ? "fresh" : "open";
  line.className = `state-line state ${state}`;
  line.textContent = !redis.configured ? "○ none configured: each process is alone" : redis.reachable ? "● reachable" : `■ not reachable: ${redis.problem}`;
  figures(one("#redis .figures"), redis.reachable ? pairs(redis) : []);
}

const pairs = (redis) => [
  ["Round trip", ms(redis.round_trip_ms)],
  ["Commands a second", redis.commands_per_s ?? "–"],
  ["Memory", redis.limit_bytes ? `${bytes(redis.used_bytes)} of ${bytes(redis.limit_bytes)}` : bytes(redis.used_bytes)],
  ["Clients", redis.clients ?? "–"],
  ["Version", [redis.version, redis.role].filter(Boolean).join(", ")],
];
