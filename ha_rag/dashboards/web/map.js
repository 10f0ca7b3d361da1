// The map on the page: drawn anew for each snapshot and width.

import { describe, one, svg } from "./dom.js";
import { mapDrawing } from "./map_drawing.js";

const NARROWEST = 240;

let shown = null;
let drawn = ""; // what the drawing looks like: the same is not painted again

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
  const picture = one("#map svg");
  const width = Math.max(NARROWEST, Math.floor(picture.parentElement.clientWidth));
  const drawing = mapDrawing(stages, shown.circuits, width);
  const same = JSON.stringify([width, drawing]);
  if (same === drawn) return;
  drawn = same;
  const { height, summary, shapes } = drawing;
  describe(picture, { width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": summary });
  picture.replaceChildren(...shapes.map(made));
}

const made = ([name, attributes, content]) => svg(name, attributes, ...(Array.isArray(content) ? content.map(made) : content === "" ? [] : [content]));
