// The fleet's traffic: current figures, and a stacked chart by tier over the last minutes.

import { describe, element, figures, one, svg } from "./dom.js";
import { ms, percent } from "./format.js";

const WIDTH = 600;
const HEIGHT = 150;
const COLOURS = 6;

export function showTraffic({ traffic }) {
  figures(one("#traffic .figures"), [
    ["Questions a second", traffic.per_s.toFixed(1)],
    ["Degraded", percent(traffic.degraded_share)],
    ["p50", ms(traffic.p50_ms)],
    ["p99", ms(traffic.p99_ms)],
  ]);
  draw(traffic.history, one("#stage").value);
}

export function onStageChosen(redraw) {
  one("#stage").addEventListener("change", redraw);
}

function draw(points, stage) {
  const tiers = [...new Set(points.flatMap((point) => Object.keys(point.served[stage] ?? {})))].sort(byRank);
  const per_s = rates(points, stage);
  const peak = Math.max(1, ...points.map((_, at) => tiers.reduce((sum, tier) => sum + per_s(at, tier), 0)));
  const chart = one("#traffic .chart");
  describe(chart, { "aria-label": summary(points, tiers, stage) });
  chart.replaceChildren(...(points.length > 1 ? areas(points, tiers, per_s, peak) : []));
  one("#traffic .legend").replaceChildren(...tiers.map((tier, n) => legend(points, tier, n, stage)), element("li", { text: `top of the chart: ${peak.toFixed(1)} a second`, cls: "quiet" }));
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

function areas(points, tiers, per_s, peak) {
  const from = points[0].at;
  const x = (at) => (WIDTH * (at - from)) / Math.max(1, points.at(-1).at - from);
  const y = (value) => HEIGHT - (HEIGHT - 6) * (value / peak);
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
  `answers of the last minutes by ${stage}: ` + (tiers.map((tier) => `${tier} ${answersOf(points, tier, stage)}`).join(", ") || "none");
