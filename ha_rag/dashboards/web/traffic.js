// What the fleet answers: figures of now, and by tier over the last minutes, one tier upon the other.

import { element, figures, one, svg } from "./dom.js";
import { ms, percent } from "./words.js";

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
  const tiers = [...new Set(points.flatMap((point) => Object.keys(point.served[stage] ?? {})))].sort(lastResortsLast);
  const per_s = rates(points, stage);
  const most = Math.max(1, ...points.map((_, at) => tiers.reduce((sum, tier) => sum + per_s(at, tier), 0)));
  const chart = one("#traffic .chart");
  chart.setAttribute("aria-label", summary(points, tiers, stage));
  chart.replaceChildren(...(points.length > 1 ? areas(points, tiers, per_s, most) : []));
  one("#traffic .legend").replaceChildren(...tiers.map((tier, n) => legend(points, tier, n, stage)), element("li", { text: `top of the picture: ${most.toFixed(1)} a second`, cls: "quiet" }));
}

// Heartbeats and looks both come about once a second, so a look finds none, one or two of a replica's: three looks
// together tell the rate.
const rates = (points, stage) => (at, tier) => {
  const near = points.slice(Math.max(0, at - 1), at + 2);
  const answers = near.reduce((sum, point) => sum + (point.served[stage]?.[tier] ?? 0), 0);
  return answers / Math.max(0.1, near.reduce((sum, point) => sum + point.seconds, 0));
};

const lastResortsLast = (a, b) => rank(a) - rank(b) || a.localeCompare(b);
const rank = (tier) => (tier === "primary" ? 0 : ["zero", "none", "plain"].includes(tier) ? 2 : 1);

function areas(points, tiers, per_s, most) {
  const from = points[0].at;
  const x = (at) => (WIDTH * (at - from)) / Math.max(1, points.at(-1).at - from);
  const y = (value) => HEIGHT - (HEIGHT - 6) * (value / most);
  let floor = points.map(() => 0);
  return tiers.map((tier, n) => {
    const roof = points.map((_, at) => floor[at] + per_s(at, tier));
    const there = points.map((point, at) => `${x(point.at).toFixed(1)},${y(roof[at]).toFixed(1)}`);
    const back = points.map((point, at) => `${x(point.at).toFixed(1)},${y(floor[at]).toFixed(1)}`).reverse();
    floor = roof;
    return svg("polygon", { class: `tier-${n % COLOURS}`, points: [...there, ...back].join(" ") });
  });
}

const answersOf = (points, tier, stage) => points.reduce((sum, point) => sum + (point.served[stage]?.[tier] ?? 0), 0);

function legend(points, tier, n, stage) {
  const patch = svg("svg", { class: "patch", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `tier-${n % COLOURS}`, width: 10, height: 10, rx: 2 }));
  return element("li", {}, patch, ` ${tier}: ${answersOf(points, tier, stage)}`);
}

const summary = (points, tiers, stage) =>
  `answers of the last minutes by ${stage}: ` + (tiers.map((tier) => `${tier} ${answersOf(points, tier, stage)}`).join(", ") || "none");
