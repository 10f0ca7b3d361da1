// The events, newest first.

import { element, one, renewChildren } from "./dom.js";
import { clock, plain } from "./format.js";

const SHOWN = 40;
const CLASSES = { redis_lost: "open", redis_back: "closed", replica_lost: "open", replica_joined: "closed", replica_left: "quiet" };

export function showTimeline(events) {
  const list = one("#timeline ol");
  renewChildren(list, events.length ? events.slice(0, SHOWN).map(item) : [element("li", { text: "No events yet.", cls: "quiet" })]);
}

function item(event) {
  const time = element("time", { text: clock(event.at), datetime: new Date(1000 * event.at).toISOString() });
  return element("li", {}, time, element("span", { text: title(event), cls: `title ${stateClass(event)}` }), element("span", { text: details(event), cls: "details" }));
}

const stateClass = (event) => (["circuit", "restored"].includes(event.kind) ? event.after : (CLASSES[event.kind] ?? "half_open"));

// Replicas of 0.1.0 send no text.
const title = (event) => event.text?.replace("->", "→") || [event.circuit, event.kind.replace("_", " "), plain(event.after)].filter(Boolean).join(" ");

function details(event) {
  const counts = event.failed ? `${event.failed} of ${event.samples} calls failed` : "";
  const by = event.by && !event.kind.startsWith("replica") ? `by ${event.by}` : "";
  // The title of an override already says why and by whom (words.py, details).
  const said = (text) => text && (event.text ?? "").includes(text);
  const reason = said(event.reason.replace(/^(open|closed|disabled|shadow): /, "")) ? "" : event.reason;
  return [reason, event.reason.includes("failed") ? "" : counts, said(by) ? "" : by].filter(Boolean).join("; ");
}
