// The events, newest first.

import { element, one } from "./dom.js";
import { clock, plain } from "./format.js";

const SHOWN = 40;
const CLASSES = { redis_lost: "open", redis_back: "closed", replica_lost: "open", replica_joined: "closed", replica_left: "quiet" };

export function showTimeline(events) {
  const list = one("#timeline ol");
  list.replaceChildren(...events.slice(0, SHOWN).map(item));
  if (!events.length) list.append(element("li", { text: "No events yet.", cls: "quiet" }));
}

function item(event) {
  const time = element("time", { text: clock(event.at), datetime: new Date(1000 * event.at).toISOString() });
  return element("li", {}, time, element("span", { text: title(event), cls: `title ${stateClass(event)}` }), element("span", { text: details(event), cls: "details" }));
}

const stateClass = (event) => (event.kind === "circuit" ? event.after : (CLASSES[event.kind] ?? "half_open"));

function title(event) {
  switch (event.kind) {
    case "circuit": return `${event.circuit}: ${plain(event.before)} → ${plain(event.after)}`;
    case "override": return `${event.circuit}: override, now ${plain(event.after)}`;
    case "would_open": return `${event.circuit}: would have opened (shadow)`;
    case "redis_lost": return "Redis is unreachable";
    case "redis_back": return "Redis is reachable again";
    case "replica_lost": return `replica ${event.by} is lost`;
    case "replica_left": return `replica ${event.by} has stopped`;
    case "replica_joined": return `replica ${event.by} has joined`;
    case "policy_mismatch": return `${event.circuit}: replicas have different rules`;
    default: return event.kind;
  }
}

function details(event) {
  const counts = event.failed ? `${event.failed} of ${event.samples} calls failed` : "";
  const by = event.by && !event.kind.startsWith("replica") ? `by ${event.by}` : "";
  return [event.reason, event.reason.includes("failed") ? "" : counts, by].filter(Boolean).join("; ");
}
