// What happened, newest first.

import { element, one } from "./dom.js";
import { clock, plain } from "./words.js";

const SHOWN = 40;
const MARKS = { redis_lost: "open", redis_back: "closed", replica_lost: "open", replica_joined: "closed", replica_left: "quiet" };

export function showTimeline(events) {
  const list = one("#timeline ol");
  list.replaceChildren(...events.slice(0, SHOWN).map(item));
  if (!events.length) list.append(element("li", { text: "Nothing yet.", cls: "quiet" }));
}

function item(event) {
  const time = element("time", { text: clock(event.at), datetime: new Date(1000 * event.at).toISOString() });
  return element("li", {}, time, element("span", { text: what(event), cls: `what ${mark(event)}` }), element("span", { text: told(event), cls: "told" }));
}

const mark = (event) => (event.kind === "circuit" ? event.after : (MARKS[event.kind] ?? "half_open"));

function what(event) {
  switch (event.kind) {
    case "circuit": return `${event.circuit}: ${plain(event.before)} → ${plain(event.after)}`;
    case "override": return `${event.circuit}: by hand, now ${plain(event.after)}`;
    case "would_open": return `${event.circuit}: would have opened (shadow)`;
    case "redis_lost": return "Redis is not heard";
    case "redis_back": return "Redis is heard again";
    case "replica_lost": return `replica ${event.by} is lost`;
    case "replica_left": return `replica ${event.by} has stopped`;
    case "replica_joined": return `replica ${event.by} has joined`;
    case "policy_mismatch": return `${event.circuit}: replicas have different rules`;
    default: return event.kind;
  }
}

function told(event) {
  const counts = event.failed ? `${event.failed} of ${event.samples} calls failed` : "";
  const by = event.by && !event.kind.startsWith("replica") ? `by ${event.by}` : "";
  return [event.reason, event.reason.includes("failed") ? "" : counts, by].filter(Boolean).join("; ");
}
