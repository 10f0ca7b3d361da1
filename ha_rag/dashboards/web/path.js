// The path of an answer: a column per stage with its tiers in the order they were tried, and a line through those that
// served.

import { describe, svg } from "./dom.js";

const ALL_STAGES = ["embedder", "retriever", "reranker", "generator"];
const WIDTH = 150;
const GAP = 30;
const HEIGHT = 34;
const STEP = 44;
const TOP = 22;

export function drawPath(picture, answer) {
  const stages = ALL_STAGES.filter((stage) => stage in answer.served_by);
  const columns = stages.map((stage) => answer.attempts.filter((attempt) => attempt.circuit.startsWith(`${stage}.`)));
  const height = TOP + STEP * Math.max(1, ...columns.map((attempts) => attempts.length));
  describe(picture, {
    viewBox: `0 0 ${stages.length * WIDTH + (stages.length - 1) * GAP} ${height}`,
    "aria-label": stages.map((stage) => `${stage} by ${answer.served_by[stage]}`).join(", "),
  });
  const served = columns.map((attempts, n) => Math.max(0, attempts.findIndex((a) => name(a) === answer.served_by[stages[n]] && succeeded(a))));
  picture.replaceChildren(line(served), ...columns.flatMap((attempts, n) => [title(stages[n], n), ...attempts.map((attempt, at) => box(attempt, n, at))]));
}

const name = (attempt) => attempt.circuit.slice(attempt.circuit.indexOf(".") + 1);
const succeeded = (attempt) => ["ok", "slow"].includes(attempt.outcome);
const left = (n) => n * (WIDTH + GAP);
const middle = (at) => TOP + at * STEP + HEIGHT / 2;

const title = (stage, n) => svg("text", { class: "stage", x: left(n), y: 12 }, stage);

function line(served) {
  const points = served.flatMap((at, n) => [`${left(n)},${middle(at)}`, `${left(n) + WIDTH},${middle(at)}`]);
  return svg("polyline", { class: "route", points: points.join(" ") });
}

function box(attempt, n, at) {
  const y = TOP + at * STEP;
  const style = succeeded(attempt) ? "ok" : ["rejected", "skipped", "cancelled"].includes(attempt.outcome) ? "skipped" : "failed";
  const label = succeeded(attempt) || style === "failed" ? `${attempt.outcome}, ${attempt.ms.toFixed(1)} ms` : attempt.outcome;
  return svg(
    "g",
    { class: style },
    svg("rect", { x: left(n), y, width: WIDTH, height: HEIGHT, rx: 6 }),
    svg("text", { x: left(n) + 8, y: y + 14 }, name(attempt)),
    svg("text", { class: "outcome", x: left(n) + 8, y: y + 27 }, label),
  );
}
