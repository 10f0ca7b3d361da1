// The page: reads the event stream of one fleet and draws it.

import { makePlayground } from "./playground.js";
import { showCircuits } from "./circuits.js";
import { element, one } from "./dom.js";
import { Fleet } from "./fleet.js";
import { key, listen } from "./stream.js";
import { makeOverrideDialog } from "./override.js";
import { showRedis } from "./redis.js";
import { showReplicas } from "./replicas.js";
import { showTimeline } from "./timeline.js";
import { onStageChosen, showTraffic } from "./traffic.js";
import { seconds, stateOf } from "./format.js";

const fleet = new Fleet();
const editOverride = makeOverrideDialog();
let downSince = null;
let resolveKey = null;

function announce(text) {
  one("#announced").textContent = text;
}

function show() {
  const picture = fleet.picture;
  document.body.classList.remove("waiting");
  showCircuits(fleet, editOverride, announce);
  showReplicas(picture.replicas);
  showTraffic(picture);
  showRedis(picture.redis);
  showTimeline(fleet.timeline);
  const warnings = one("#warnings");
  warnings.hidden = picture.warnings.length === 0;
  warnings.replaceChildren(...picture.warnings.map((text) => element("li", { text })));
  showVerdict();
}

function showVerdict() {
  const picture = fleet.picture;
  const verdict = one("#verdict");
  if (!picture || downSince !== null) return;
  const notClosed = picture.circuits.filter((circuit) => !["closed", "waiting"].includes(stateOf(circuit).state));
  const worst = notClosed.some((circuit) => circuit.state === "open") ? "open" : notClosed.length ? "half_open" : "closed";
  verdict.className = worst;
  verdict.textContent = notClosed.length ? notClosed.map((circuit) => `${circuit.name} ${stateOf(circuit).label}`).join(", ") : "All circuits closed";
  const shared = picture.shared_state === "fresh" ? "" : `, shared state ${picture.shared_state}${picture.reason ? ` (${picture.reason})` : ""}`;
  one("#link").textContent = `live from ${picture.told_by}${shared}`;
}

function up() {
  downSince = null;
  document.body.classList.remove("stale");
}

function down() {
  downSince ??= new Date();
  document.body.classList.add("stale");
  const verdict = one("#verdict");
  verdict.className = "stale";
  verdict.textContent = `Disconnected since ${downSince.toLocaleTimeString([], { hour12: false })}`;
  one("#link").textContent = fleet.picture ? "showing the last known state" : "no data yet";
}

function requestKey() {
  one("#key").hidden = false;
  one("#api-key").focus();
  return new Promise((resolve) => { resolveKey = resolve; });
}

one("#key").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(one("#api-key").value.trim());
  one("#key").hidden = true;
  resolveKey?.();
});

setInterval(() => {
  if (downSince !== null) return;
  for (const shown of document.querySelectorAll(".counting")) shown.textContent = seconds(fleet.left(Number(shown.dataset.left)));
}, 100);

makePlayground(() => void requestKey());
onStageChosen(() => fleet.picture && showTraffic(fleet.picture));
listen({
  onFleet: (picture) => { fleet.show(picture); show(); },
  onEvent: (event) => { fleet.addEvent(event); if (fleet.picture) showTimeline(fleet.timeline); },
  onUp: up,
  onDown: down,
  onKeyRequired: requestKey,
});
