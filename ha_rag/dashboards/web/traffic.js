// The fleet's traffic: current figures, and a stacked chart by tier over the last minutes.

import { element, figures, one, svg, write } from "./dom.js";
import { clock, ms, percent } from "./format.js";
import { Readable, place, within } from "./reading.js";

const WIDTH = 600;
const HEIGHT = 150;
const COLOURS = 6;
const STAGES = ["embedder", "retriever", "reranker", "generator"];

let readable = null;

export function showTraffic({ traffic, at }) {
  figures(one("#traffic .figures"), [
    ["Questions a second", traffic.per_s.toFixed(1)],
    ["Degraded", percent(traffic.degraded_share)],
    ["p50", ms(traffic.p50_ms)],
    ["p99", ms(traffic.p99_ms)],
  ]);
  draw(traffic.history, at, one("#stage").value);
}

export function onStageChosen(redraw) {
  one("#stage").addEventListener("change", redraw);
}

// The same scale for every stage, so that what one sees does not change with the choice.
function draw(history, now, stage) {
  const points = within(history, now);
  const per_s = rates(points, stage);
  const tiers = tiersOf(points, stage);
  const peak = Math.max(1, ...STAGES.flatMap((each) => totals(points, each)));
  const chart = one("#traffic .chart");
  chart.replaceChildren(...(points.length > 1 ? areas(points, now, tiers, per_s, peak) : []), ...grid());
  readable ??= new Readable(chart, { wide: WIDTH, high: HEIGHT, label: "answers of the last minutes" });
  readable.update(points, now, (point) => told(point, points, tiers, per_s), summary(points, tiers, stage));
  write(one("#traffic .top"), `top: ${peak.toFixed(1)} a second`);
  one("#traffic .legend").replaceChildren(...tiers.map((tier, n) => legend(points, tier, n, stage)));
}

const tiersOf = (points, stage) => [...new Set(points.flatMap((point) => Object.keys(point.served[stage] ?? {})))].sort(byRank);

function totals(points, stage) {
  const per_s = rates(points, stage);
  const tiers = tiersOf(points, stage);
  return points.map((_, at) => tiers.reduce((sum, tier) => sum + per_s(at, tier), 0));
}

// A line for each minute.
const grid = () => [1, 2].map((minute) => svg("line", { class: "grid", x1: (WIDTH * minute) / 3, x2: (WIDTH * minute) / 3, y1: 0, y2: HEIGHT }));

function told(point, points, tiers, per_s) {
  const at = points.indexOf(point);
  const answers = tiers.map((tier) => [tier, per_s(at, tier)]).filter(([, rate]) => rate > 0);
  const latency = point.p99_ms === null || point.p99_ms === undefined ? "" : ` · p50 ${ms(point.p50_ms)}, p99 ${ms(point.p99_ms)}`;
  return `${clock(point.at)} · ${answers.map(([tier, rate]) => `${tier} ${rate.toFixed(1)}/s`).join(", ") || "no answers"}${latency}`;
}

// Heartbeats and polls both come about once a second, so one poll sees zero to two heartbeats of a replica: the rate is
// averaged over three polls.
const rates = (points, stage) => (at, tier) => {
  const near = points.slice(Math.max(0, at - 1), at + 2);
  const answers = near.reduce((sum, point) => sum + (point.served[stage]?.[tier] ?? 0), 0);
  return answers / Math.max(0.1, near.reduce((sum, point) => sum + point.seconds, 0));
};

const byRank = (a, b) => rank(a) - rank(b) || a.localeCompare(b);
const rank = (tier) => (tier === "primary" ? 0 : ["zero", "none", "plain"].includes(tier) ? 2 : 1);

function areas(points, now, tiers, per_s, peak) {
  const x = (at) => WIDTH * place(at, now);
  const y = (value) => HEIGHT - HEIGHT * (value / peak);
  let base = points.map(() => 0);
  return tiers.map((tier, n) => {
    const top = points.map((_, at) => base[at] + per_s(at, tier));
    const upper = points.map((point, at) => `${x(point.at).toFixed(1)},${y(top[at]).toFixed(1)}`);
    const lower = points.map((point, at) => `${x(point.at).toFixed(1)},${y(base[at]).toFixed(1)}`).reverse();
    base = top;
    return svg("polygon", { class: `tier-${n % COLOURS}`, points: [...upper, ...lower].join(" ") });
  });
}

const answersOf = (points, tier, stage) => points.reduce((sum, point) => sum + (point.served[stage]?.[tier] ?? 0), 0);

function legend(points, tier, n, stage) {
  const patch = svg("svg", { class: "patch", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `tier-${n % COLOURS}`, width: 10, height: 10, rx: 2 }));
  return element("li", {}, patch, ` ${tier}: ${answersOf(points, tier, stage)}`);
}

const summary = (points, tiers, stage) =>
  `by ${stage}: ` + (tiers.map((tier) => `${tier} ${answersOf(points, tier, stage)}`).join(", ") || "none");
