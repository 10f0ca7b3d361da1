// What people thought of answers: the form below an answer, and the table of satisfaction by degradation.

import { cell, element, one, write } from "./dom.js";
import { percent } from "./format.js";
import { authorized } from "./stream.js";

// The answer that is shown, or "" for none that can be rated.
let shown = "";

export function makeRating() {
  one("#ask .rate").addEventListener("submit", async (event) => {
    event.preventDefault();
    const comment = one("#comment").value;
    const body = JSON.stringify({ answer: shown, score: Number(event.submitter?.value ?? 1), ...(comment && { comment }) });
    const reply = await fetch("/v1/feedback", { method: "POST", headers: { "Content-Type": "application/json", ...authorized() }, body });
    const said = reply.ok ? "Thank you." : (await reply.json()).error.message;
    write(one("#ask .rate output"), said);
  });
}

export function offerRating(answer) {
  shown = answer;
  one("#ask .rate").hidden = !answer;
  one("#comment").value = "";
  write(one("#ask .rate output"), "");
}

export function drawSatisfaction({ satisfaction = [], cost_of_degrading: cost = null }) {
  const rows = satisfaction.filter((row) => row.by === "degradation" && row.share !== null);
  const section = one("#satisfaction");
  section.hidden = rows.length === 0;
  one("tbody", section).replaceChildren(
    ...rows.map((row) => element("tr", {}, element("th", { scope: "row", text: row.of }), cell("", percent(row.share), "number"),
      cell("", `${percent(row.low)} to ${percent(row.high)}`, "number"), cell("", String(row.up + row.down), "number"))),
  );
  write(one("p", section), cost === null ? "" : `Degrading costs ${points(cost.points)} (95 %: ${points(cost.low)} to ${points(cost.high)}).`);
}

const points = (share) => `${Math.round(100 * share)} points`;
