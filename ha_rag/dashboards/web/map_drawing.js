// The map: the stages as a flow, each tier a node with its state, its share of the last minute's answers and its
// latencies. Lines are as thick as the traffic. Drawn in pixels for the width that there is: stages side by side or, on
// a narrow screen, one below the other. ha_rag/dashboards/map_drawing.py draws the same; a test compares both.

import { ms, percent, stateOf } from "./format.js";

const SIDE_BY_SIDE = 640;
const NODE = 62;
const SPACE = 14;
const GAP = 44;
const TITLE = 22;
const EDGE = 2;
const IN_A_ROW = 2;
const THINNEST = 1.5;
const THICKEST = { columns: 14, rows: 10 };

// A shape is [name, attributes, text or shapes].
export function mapDrawing(stages, circuits, width) {
  const known = new Map(circuits.map((circuit) => [circuit.name, circuit]));
  const form = width >= SIDE_BY_SIDE ? "columns" : "rows";
  const { height, placed } = form === "columns" ? columns(stages, width) : rows(stages, width);
  const nodes = placed.flatMap(({ stage, places }) => stage.tiers.map((tier, n) => ({ tier, first: n === 0, ...places[n] })));
  const lines = [...nodes].sort((a, b) => a.tier.share - b.tier.share).flatMap((node) => [node.enter, node.leave].map((path) => line(node, path, form)));
  const titles = placed.map(({ stage, title }) => ["text", { class: "stage", x: px(title.x), y: px(title.y) }, stage.name]);
  return { height: px(height), summary: summary(stages, known), shapes: [...lines, ...titles, ...nodes.map((node) => box(node, known))] };
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
  return { height, placed };
}

// Stages below each other, their tiers side by side.
function rows(stages, width) {
  let y = 0;
  const centre = width / 2;
  const placed = stages.map((stage) => {
    const perRow = Math.min(IN_A_ROW, stage.tiers.length);
    const wide = (width - 2 * EDGE - SPACE * (perRow - 1)) / perRow;
    const top = y + TITLE;
    const bottom = top + Math.ceil(stage.tiers.length / perRow) * (NODE + SPACE) - SPACE;
    const places = stage.tiers.map((_, n) => {
      const x = EDGE + (n % perRow) * (wide + SPACE);
      const nodeY = top + Math.floor(n / perRow) * (NODE + SPACE);
      return { x, y: nodeY, wide, enter: enter(centre, top - TITLE, top, x + wide / 2, nodeY), leave: leave(centre, x + wide / 2, nodeY + NODE, bottom) };
    });
    const title = { x: EDGE, y: y + 14 };
    y = bottom + GAP / 2;
    return { stage, places, title };
  });
  return { height: y, placed };
}

// Tenths of a pixel, so that both programs write the same number.
const px = (value) => Math.floor(10 * value + 0.5) / 10;
const points = (...values) => values.map(px).join(" ");

const across = (x1, y1, x2, y2) => `M${points(x1, y1)} C${points((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2)}`;
const down = (x1, y1, x2, y2) => `M${points(x1, y1)} C${points(x1, (y1 + y2) / 2, x2, (y1 + y2) / 2, x2, y2)}`;

// Tiers in further rows are reached, and those above them left, between the two columns.
const enter = (centre, from, top, x, y) => (y === top ? down(centre, from, x, y) : `M${points(centre, from)} V${px(y - SPACE)} ${down(centre, y - SPACE, x, y)}`);
const leave = (centre, x, y, bottom) => (y === bottom ? down(x, y, centre, y + GAP / 2) : `${down(x, y, centre, y + SPACE)} V${px(bottom + GAP / 2)}`);

function line({ tier, first }, path, form) {
  const used = tier.share > 0;
  const kind = !used ? "unused" : first ? "first" : tier.circuit ? "fallback" : "resort";
  return ["path", { class: `line ${kind}`, d: path, "stroke-width": used ? px(THINNEST + (THICKEST[form] - THINNEST) * tier.share) : 1 }, ""];
}

function box({ tier, x, y, wide }, known) {
  const { state, symbol, label } = stateOfTier(tier, known);
  const isCalled = state !== "resort"; // a last resort is our own words: no calls, so no latency either
  const latency = tier.p50_ms === null ? "no calls" : `${ms(tier.p50_ms)} / ${ms(tier.p99_ms)}`;
  const words = state === "closed" || !isCalled ? "" : ` · ${label.replace(" for traffic", "")}`;
  const room = wide - 16;
  const text = (cls, below, content) => ["text", { class: cls, x: px(x + 8), y: px(y + below) }, content];
  return [
    "g",
    { class: `node ${state}` },
    [
      ["title", {}, `${tier.name}: ${label}, ${percent(tier.share)} of the answers${isCalled ? `, p50 / p99 ${latency}` : ""}`],
      ["rect", { x: px(x), y: px(y), width: px(wide), height: NODE, rx: 7 }, ""],
      text("name", 18, cut(`${symbol} ${tier.name}`, room, 7.6)),
      text("share", 35, cut(`${percent(tier.share)}${words}`, room, 6.8)),
      text("latency", 52, cut(isCalled ? latency : label, room, 6.2)),
    ],
  ];
}

function stateOfTier(tier, known) {
  const circuit = known.get(tier.circuit);
  return circuit ? stateOf(circuit) : { state: "resort", symbol: "▪", label: "last resort" };
}

// Cut to what fits, by the width of a letter; the title has all of it.
function cut(text, room, letter) {
  const letters = [...text];
  const most = Math.max(3, Math.floor(room / letter));
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

const summary = (stages, known) =>
  "the way of the last minute's answers: " +
  stages.map((stage) => `${stage.name}: ${stage.tiers.map((tier) => `${tier.name} ${stateOfTier(tier, known).label}, ${percent(tier.share)}`).join(", ")}`).join("; ");
