// The page: reads the event stream of one fleet and draws it.

import { makePlayground } from "./playground.js";
import { showCircuits } from "./circuits.js";
import { element, one, write } from "./dom.js";
import { Fleet } from "./fleet.js";
import { showDisconnected, showImpact } from "./impact.js";
import { key, listen } from "./stream.js";
import { onMapResized, showMap } from "./map.js";
import { makeDocuments } from "./documents.js";
import { makeOverrideDialog } from "./override.js";
import { makeUndo } from "./undo.js";
import { showRedis } from "./redis.js";
import { showReplicas } from "./replicas.js";
import { showTimeline } from "./timeline.js";
import { drawSatisfaction } from "./satisfaction.js";
import { onStageChosen, showTraffic } from "./traffic.js";
import { seconds } from "./format.js";

const fleet = new Fleet();
const editOverride = makeOverrideDialog(fleet);
let downSince = null;
let resolveKey = null;
let isPainting = false;

function announce(text) {
  write(one("#announced"), text);
}

// What an engineer waits for is drawn first; the rest follows once that is painted.
function show() {
  const picture = fleet.picture;
  document.body.classList.remove("waiting");
  showVerdict();
  showMap(picture);
  showCircuits(fleet, editOverride, announce);
  afterPaint(showRest);
}

function showRest() {
  const picture = fleet.picture;
  showReplicas(picture.replicas);
  showTraffic(picture);
  showRedis(picture.redis);
  drawSatisfaction(picture);
  showTimeline(fleet.timeline);
  const warnings = one("#warnings");
  warnings.hidden = picture.warnings.length === 0;
  warnings.replaceChildren(...picture.warnings.map((text) => element("li", { text })));
}

function afterPaint(draw) {
  if (isPainting) return;
  isPainting = true;
  requestAnimationFrame(() => setTimeout(() => {
    isPainting = false;
    draw();
  }));
}

function showVerdict() {
  const picture = fleet.picture;
  if (!picture || downSince !== null) return;
  showImpact(picture.impact);
  const shared = picture.shared_state === "fresh" ? "" : `, shared state ${picture.shared_state}${picture.reason ? ` (${picture.reason})` : ""}`;
  write(one("#link"), `live from ${picture.told_by}${shared}`);
}

function up() {
  downSince = null;
  document.body.classList.remove("stale");
}

function down() {
  downSince ??= new Date();
  document.body.classList.add("stale");
  showDisconnected(`Disconnected since ${downSince.toLocaleTimeString([], { hour12: false })}`);
  write(one("#link"), fleet.picture ? "showing the last known state" : "no data yet");
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
  for (const shown of document.querySelectorAll(".counting")) write(shown, seconds(fleet.left(Number(shown.dataset.left))));
}, 100);

makePlayground(() => void requestKey());
makeDocuments();
makeUndo();
onMapResized();
onStageChosen(() => fleet.picture && showTraffic(fleet.picture));
listen({
  onFleet: (picture) => { fleet.show(picture); show(); },
  onEvent: (event) => { fleet.addEvent(event); if (fleet.picture) showTimeline(fleet.timeline); },
  onUp: up,
  onDown: down,
  onKeyRequired: requestKey,
});
