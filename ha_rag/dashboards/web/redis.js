// The health of Redis, as the server of this page sees it.

import { figures, one, write } from "./dom.js";
import { bytes, ms } from "./format.js";

export function showRedis(redis) {
  const line = one("#redis .state-line");
  const state = !redis.configured ? "local" : redis.reachable ? "fresh" : "open";
  line.className = `state-line state ${state}`;
  write(line, !redis.configured ? "○ not configured: each process runs alone" : redis.reachable ? "● reachable" : `■ unreachable: ${redis.problem}`);
  figures(one("#redis .figures"), redis.reachable ? pairs(redis) : []);
}

const pairs = (redis) => [
  ["Round trip", ms(redis.round_trip_ms)],
  ["Commands a second", redis.commands_per_s ?? "–"],
  ["Memory", redis.limit_bytes ? `${bytes(redis.used_bytes)} of ${bytes(redis.limit_bytes)}` : bytes(redis.used_bytes)],
  ["Clients", redis.clients ?? "–"],
  ["Version", [redis.version, redis.role].filter(Boolean).join(", ") || "–"],
];
