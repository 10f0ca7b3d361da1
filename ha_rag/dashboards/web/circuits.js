// The circuits: one row each. Rows are reused between snapshots, to keep the focus and the scroll position.
// The cells of the history and of the button stay; the others are replaced.

import { cell, element, one, renew } from "./dom.js";
import { clock, percent, plain, seconds, stateOf } from "./format.js";
import { CircuitHistory } from "./history.js";

const rows = new Map();
const lastStates = new Map();

export function showCircuits(fleet, editOverride, announce) {
  const body = one("#circuits tbody");
  const circuits = fleet.picture.circuits;
  for (const [name, { tr }] of rows) {
    if (circuits.some((c) => c.name === name)) continue;
    tr.remove();
    rows.delete(name);
  }
  // Moving a row loses the focus inside it, so rows are moved only if their order changed.
  circuits.map((circuit) => row(circuit, fleet, editOverride)).forEach((tr, at) => {
    if (body.children[at] !== tr) body.insertBefore(tr, body.children[at] ?? null);
  });
  for (const circuit of circuits) announceChange(circuit, announce);
}

function announceChange(circuit, announce) {
  const { state, label } = stateOf(circuit);
  if (lastStates.has(circuit.name) && lastStates.get(circuit.name) !== state) announce(`${circuit.name} is ${label}`);
  lastStates.set(circuit.name, state);
}

function row(circuit, fleet, editOverride) {
  if (!rows.has(circuit.name)) {
    const button = element("button", { text: "Override", cls: "plain", "aria-label": `Override ${circuit.name}` });
    button.addEventListener("click", () => editOverride(circuit.name));
    rows.set(circuit.name, { tr: element("tr"), button, history: new CircuitHistory(circuit.name) });
  }
  const { tr, button, history } = rows.get(circuit.name);
  history.draw(circuit.history, fleet.picture.at);
  const { state, label, symbol } = stateOf(circuit);
  tr.className = state;
  const rates = shownRates(circuit);
  const badge = element("span", { text: `${symbol} ${label}`, cls: `state ${state}` });
  const cells = [
    element("th", { scope: "row", text: circuit.name, title: `${circuit.name}: ${circuit.scope === "replica" ? "state of each replica" : "shared by the fleet"}` }),
    cell("State", [badge, ...overrideTag(circuit)]),
    null,
    cell("Failed", percent(rates.failed), "number"),
    cell("Slow", percent(rates.slow), "number"),
    cell("Calls", rates.calls, "number"),
    cell("Recovers in", countdown(circuit, fleet), "number"),
    cell("Why", why(circuit), "why"),
  ];
  if (tr.lastChild === null) tr.append(...cells.map((made) => made ?? cell("Failures", history.node, "wide")), cell("", button));
  else cells.forEach((updated, at) => updated && renew(tr.children[at], updated));
  return tr;
}

// Of the window or, while that of an open circuit is empty, as it opened (openings.py, shown_rates).
function shownRates({ state, opened, failure_rate, slow_rate, samples }) {
  if (state === "closed" || samples || !opened?.samples) return { failed: failure_rate, slow: slow_rate, calls: samples };
  return { failed: opened.failed / opened.samples, slow: opened.slow / opened.samples, calls: opened.samples };
}

function overrideTag({ override }) {
  if (!override) return [];
  const until = override.ends_in_s === null ? "" : `, for ${seconds(override.ends_in_s)}`;
  return [element("span", { text: `override: ${override.mode}${until}`, cls: "tag" })];
}

function countdown(circuit, fleet) {
  if (circuit.recovers_in_s === null) return "";
  const shown = element("span", { text: seconds(fleet.left(circuit.recovers_in_s)), cls: "counting" });
  shown.dataset.left = circuit.recovers_in_s;
  return shown;
}

function why(circuit) {
  const lines = [];
  if (circuit.override) lines.push(`${circuit.override.reason} (${circuit.override.by})`);
  else if (circuit.state !== "closed" && circuit.opened) lines.push(`opened at ${clock(circuit.opened.at)}: ${circuit.opened.reason}`);
  if (!circuit.override && circuit.state !== "closed" && circuit.reason && circuit.reason !== circuit.opened?.reason) lines.push(circuit.reason);
  if (circuit.opened_by && circuit.state !== "closed" && !circuit.override) lines.push(`opened by ${circuit.opened_by}`);
  if (circuit.voters.length) lines.push(`seen by ${circuit.voters.join(", ")}`);
  if (circuit.unconfirmed) lines.push(`${circuit.unconfirmed} ${circuit.unconfirmed > 1 ? "replicas have" : "replica has"} not confirmed ${circuit.override ? "the override" : "its end"} yet`);
  if (circuit.differing.length) lines.push(circuit.differing.map((d) => `${d.replica}: ${plain(d.state)} there`).join(", "));
  if (circuit.open_count > 1 && circuit.state !== "closed") lines.push(`opened ${circuit.open_count} times in a row`);
  return lines.map((line) => element("div", { text: line }));
}
