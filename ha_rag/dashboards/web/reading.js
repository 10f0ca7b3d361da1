// Values of a chart under the pointer or the focus. The arrow keys, Home and End move from point to point; what is read
// is shown beside the chart, and told to screen readers as the value of a slider.

import { describe, one, svg, write } from "./dom.js";

export const SPAN_S = 180;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

// Where in the last minutes a moment is: 0 at the left edge, 1 now. One time axis for all charts.
export const place = (at, now) => Math.min(1, Math.max(0, 1 - (now - at) / SPAN_S));

export const within = (points, now) => points.filter((point) => point.at >= now - SPAN_S);

// The chart that is read: the value of one is shown at a time.
let current = null;

// A chart: `picture` is an svg whose viewBox is `wide` by `high`. After each drawing call `update(points, now, tell)`;
// `tell` is the text of a point.
export class Readable {
  constructor(picture, { wide, high, label }) {
    this.picture = picture;
    this.wide = wide;
    this.cursor = svg("line", { class: "cursor", y1: 0, y2: high });
    this.label = label;
    this.points = [];
    this.read = null; // the moment that is read; null: none
    describe(picture, { role: "slider", tabindex: 0, "aria-orientation": "horizontal", "aria-valuemin": -SPAN_S, "aria-valuemax": 0 });
    picture.addEventListener("pointermove", (event) => this.show(this.under(event)));
    picture.addEventListener("pointerdown", (event) => this.show(this.under(event)));
    picture.addEventListener("pointerleave", () => this.leave());
    picture.addEventListener("focus", () => this.show(this.points.at(-1)));
    picture.addEventListener("blur", () => this.hide());
    picture.addEventListener("keydown", (event) => this.pressed(event));
  }

  update(points, now, tell, summary) {
    Object.assign(this, { points, now, tell });
    describe(this.picture, { "aria-label": `${this.label}: ${summary}` });
    const still = this.read !== null && this.nearest(this.read);
    if (still) this.show(still);
    else this.told(points.at(-1));
  }

  nearest(at) {
    return this.points.reduce((best, point) => (best && Math.abs(best.at - at) <= Math.abs(point.at - at) ? best : point), null);
  }

  under(event) {
    const box = this.picture.getBoundingClientRect();
    return this.nearest(this.now - SPAN_S * (1 - (event.clientX - box.left) / box.width));
  }

  pressed(event) {
    const last = this.points.length - 1;
    const at = this.points.findIndex((point) => point.at === this.read);
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : event.key in STEPS ? (at < 0 ? last : at) + STEPS[event.key] : null;
    if (event.key === "Escape") this.hide();
    if (to === null) return;
    event.preventDefault();
    this.show(this.points[Math.min(last, Math.max(0, to))]);
  }

  told(point) {
    describe(this.picture, { "aria-valuenow": point ? Math.round(point.at - this.now) : 0, "aria-valuetext": point ? this.tell(point) : "no values yet" });
  }

  show(point) {
    if (!point) return;
    if (current && current !== this) current.hide();
    current = this;
    this.read = point.at;
    this.told(point);
    const share = place(point.at, this.now);
    describe(this.cursor, { x1: this.wide * share, x2: this.wide * share });
    this.picture.append(this.cursor);
    const shown = one("#reading");
    write(shown, this.tell(point));
    shown.hidden = false;
    const box = this.picture.getBoundingClientRect();
    const left = box.left + box.width * share - shown.offsetWidth / 2;
    shown.style.left = `${Math.max(4, Math.min(document.documentElement.clientWidth - shown.offsetWidth - 4, left))}px`;
    shown.style.top = `${box.top > shown.offsetHeight + 8 ? box.top - shown.offsetHeight - 4 : box.bottom + 4}px`;
  }

  // The pointer left; the focus may still be here.
  leave() {
    if (document.activeElement !== this.picture) this.hide();
  }

  hide() {
    this.read = null;
    this.cursor.remove();
    one("#reading").hidden = true;
  }
}

// The edges of the time axis, below a chart.
export const SPAN = `${SPAN_S / 60} min ago`;
