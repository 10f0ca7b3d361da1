// The history of a circuit: its failure rate as a line, its slow rate as a thinner one, over bands where it was not
// closed. All are drawn to the same scale: from 0 to 100 %, over the same minutes.

import { element, svg } from "./dom.js";
import { clock, percent, plain } from "./format.js";
import { Readable, SPAN, place, within } from "./reading.js";

const WIDTH = 160;
const HEIGHT = 28;
const EDGE = 2;

export class CircuitHistory {
  constructor(name) {
    this.picture = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
    this.readable = new Readable(this.picture, { wide: WIDTH, high: HEIGHT, label: `history of ${name}` });
    const axis = element("div", { cls: "axis", "aria-hidden": "true" }, element("span", { text: SPAN }), element("span", { text: "now" }));
    this.node = element("div", { cls: "history" }, this.picture, axis);
  }

  draw(history, now) {
    const points = within(history, now);
    const x = (point) => WIDTH * place(point.at, now);
    const y = (rate) => HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * rate;
    const bands = runs(points).map(({ state, from, to }) => {
      const left = x(from);
      return svg("rect", { class: state, x: left.toFixed(1), y: 0, width: Math.max(0.5, (to ? x(to) : WIDTH) - left).toFixed(1), height: HEIGHT });
    });
    const worst = Math.max(0, ...points.map((point) => point.failure_rate));
    const ends = worst ? points : points.filter((_, n) => n === 0 || n === points.length - 1);
    const line = (rate, through = points) => through.map((point) => `${x(point).toFixed(1)},${y(point[rate]).toFixed(1)}`).join(" ");
    const slow = points.some((point) => point.slow_rate) ? [svg("polyline", { class: "slow-rate", points: line("slow_rate") })] : [];
    this.picture.replaceChildren(...bands, ...slow, svg("polyline", { class: worst ? "failure-rate" : "failure-rate none", points: line("failure_rate", ends) }));
    this.readable.update(points, now, told, `failure rate, at most ${percent(worst)} over the last minutes`);
  }
}

// Consecutive points of one state that is not "closed"; `to`: the point after it, if there is one.
function runs(points) {
  const found = [];
  points.forEach((point, n) => {
    if (point.state === "closed") return;
    if (n && points[n - 1].state === point.state) found.at(-1).to = points[n + 1];
    else found.push({ state: point.state, from: point, to: points[n + 1] });
  });
  return found;
}

const told = ({ at, state, failure_rate: failed, slow_rate: slow, samples }) =>
  `${clock(at)} · ${plain(state)} · ${samples ? `${percent(failed)} failed, ${percent(slow)} slow of ${samples} calls` : "no calls in the window"}`;
