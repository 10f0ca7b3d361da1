// The map: the stages as a flow, each tier a node with its state, its share of the last minute's answers and its
// latencies. Lines are as thick as the traffic. Drawn in pixels for the width that there is: stages side by side or, on
// a narrow screen, one below the other.

import { describe, one, svg } from "./dom.js";
import { ms, percent, stateOf } from "./format.js";

const SIDE_BY_SIDE = 640;
const NODE = 62;
const SPACE = 12;
const GAP = 44;
const TITLE = 22;
const IN_A_ROW = 2;
const THICKEST = 14;

let shown = null;

export function showMap(picture) {
  shown = picture;
  draw();
}

export function onMapResized() {
  new ResizeObserver(draw).observe(one("#map"));
}

function draw() {
  const stages = shown?.stages ?? [];
  const section = one("#map");
  section.hidden = stages.length === 0;
  if (section.hidden) return;
  const drawing = one("#map svg");
  const width = Math.max(240, Math.floor(drawing.parentElement.clientWidth));
  const circuits = new Map(shown.circuits.map((circuit) => [circuit.name, circuit]));
  const layout = width >= SIDE_BY_SIDE ? columns(stages, width) : rows(stages, width);
  describe(drawing, { width, height: layout.height, viewBox: `0 0 ${width} ${layout.height}`, "aria-label": summary(stages, circuits) });
  const nodes = layout.stages.flatMap(({ stage, places }) => stage.tiers.map((tier, n) => ({ tier, first: n === 0, ...places[n] })));
  const lines = [...nodes].sort((a, b) => a.tier.share - b.tier.share).flatMap((node) => [node.enter, node.leave].map((path) => line(node, path)));
  drawing.replaceChildren(...lines, ...layout.stages.map(({ stage, title }) => svg("text", { class: "stage", ...title }, stage.name)), ...nodes.map((node) => box(node, circuits)));
}

// Stages side by side: a curve leads from the point between two stages to each tier, and on to the next point.
function columns(stages, width) {
  const wide = (width - GAP * (stages.length + 1)) / stages.length;
  const most = Math.max(...stages.map((stage) => stage.tiers.length));
  const height = TITLE + most * (NODE + SPACE);
  const middle = TITLE + (most * (NODE + SPACE) - SPACE) / 2;
  const placed = stages.map((stage, at) => {
    const x = GAP + at * (wide + GAP);
    const top = middle - (stage.tiers.length * (NODE + SPACE) - SPACE) / 2;
    const places = stage.tiers.map((_, n) => {
      const y = top + n * (NODE + SPACE);
      const centre = y + NODE / 2;
      return { x, y, wide, enter: across(x - GAP / 2, middle, x, centre), leave: across(x + wide, centre, x + wide + GAP / 2, middle) };
    });
    return { stage, places, title: { x, y: Math.max(14, top - 8) } };
  });
  return { height, stages: placed };
}

// Stages below each other, their tiers side by side.
function rows(stages, width) {
  let y = 0;
  const centre = width / 2;
  const placed = stages.map((stage) => {
    const perRow = Math.min(IN_A_ROW, stage.tiers.length);
    const wide = (width - SPACE * (perRow - 1)) / perRow;
    const top = y + TITLE;
    const bottom = top + Math.ceil(stage.tiers.length / perRow) * (NODE + SPACE) - SPACE;
    const places = stage.tiers.map((_, n) => {
      const x = (n % perRow) * (wide + SPACE);
      const nodeY = top + Math.floor(n / perRow) * (NODE + SPACE);
      return { x, y: nodeY, wide, enter: enter(centre, top - TITLE, top, x + wide / 2, nodeY), leave: leave(centre, x + wide / 2, nodeY + NODE, bottom) };
    });
    const title = { x: 0, y: y + 14 };
    y = bottom + GAP / 2;
    return { stage, places, title };
  });
  return { height: y, stages: placed };
}

const across = (x1, y1, x2, y2) => `M${x1} ${y1} C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
const down = (x1, y1, x2, y2) => `M${x1} ${y1} C${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2} ${x2} ${y2}`;

// Tiers in further rows are reached, and those above them left, between the two columns.
const enter = (centre, from, top, x, y) => (y === top ? down(centre, from, x, y) : `M${centre} ${from} V${y - SPACE} ${on(centre, y - SPACE, x, y)}`);
const leave = (centre, x, y, bottom) => (y === bottom ? down(x, y, centre, y + GAP / 2) : `${down(x, y, centre, y + SPACE)} V${bottom + GAP / 2}`);
const on = (x1, y1, x2, y2) => down(x1, y1, x2, y2).replace(/^M\S+ \S+ /, "");

function line({ tier, first }, path) {
  const used = tier.share > 0;
  const kind = !used ? "unused" : first ? "first" : tier.circuit ? "fallback" : "resort";
  return svg("path", { class: `line ${kind}`, d: path, "stroke-width": used ? (1.5 + (THICKEST - 1.5) * tier.share).toFixed(1) : 1 });
}

function box({ tier, x, y, wide }, circuits) {
  const { state, symbol, label } = known(tier, circuits);
  const latency = tier.p50_ms === null ? "no calls" : `${ms(tier.p50_ms)} / ${ms(tier.p99_ms)}`;
  const room = wide - 16;
  return svg(
    "g",
    { class: `node ${state}` },
    svg("title", {}, `${tier.name}: ${label}, ${percent(tier.share)} of the answers, p50 / p99 ${latency}`),
    svg("rect", { x, y, width: wide, height: NODE, rx: 7 }),
    svg("text", { class: "name", x: x + 8, y: y + 18 }, cut(`${symbol} ${tier.name}`, room, 7.6)),
    svg("text", { class: "share", x: x + 8, y: y + 35 }, cut(`${percent(tier.share)}${state === "closed" ? "" : ` · ${label}`}`, room, 6.8)),
    svg("text", { class: "latency", x: x + 8, y: y + 52 }, cut(latency, room, 6.2)),
  );
}

function known(tier, circuits) {
  const circuit = circuits.get(tier.circuit);
  return circuit ? stateOf(circuit) : { state: "resort", symbol: "▪", label: "last resort" };
}

// Cut to what fits, by the width of a letter; the title has all of it.
function cut(text, room, letter) {
  const most = Math.max(3, Math.floor(room / letter));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

const summary = (stages, circuits) =>
  "the way of the last minute's answers: " +
  stages.map((stage) => `${stage.name}: ${stage.tiers.map((tier) => `${tier.name} ${known(tier, circuits).label}, ${percent(tier.share)}`).join(", ")}`).join("; ");
