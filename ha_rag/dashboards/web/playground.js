// The playground: a question, its answer with citations, and the path through the tiers.

import { cell, element, one, write } from "./dom.js";
import { authorized } from "./stream.js";
import { drawPath } from "./path.js";
import { qualityWords } from "./quality.js";
import { makeRating, offerRating } from "./satisfaction.js";
import { ms, seconds } from "./format.js";

export function makePlayground(onKeyRequired) {
  makeRating();
  const form = one("#ask form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = one("button", form);
    button.disabled = true;
    try {
      show(await ask(onKeyRequired));
    } catch (error) {
      showError(error.message);
    }
    one("#ask article").hidden = false;
    button.disabled = false;
  });
  one("#question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

async function ask(onKeyRequired) {
  const body = JSON.stringify({ question: one("#question").value, top_k: Number(one("#top-k").value) });
  const reply = await fetch("/v1/query", { method: "POST", headers: { "Content-Type": "application/json", ...authorized() }, body });
  if (reply.status === 401) onKeyRequired();
  if (reply.status === 404) throw new Error("This dashboard does not answer questions. Open the page of a replica or of the front.");
  const content = await reply.json();
  if (!reply.ok) throw new Error(content.error.message);
  return content;
}

// The beginning of a passage without Markdown; the full text opens below.
const excerpt = (text) => text.replace(/^#{1,6} .*$/m, "").replace(/[#`*|]/g, " ").replace(/\s+/g, " ").trim();

function show(answer) {
  const article = one("#ask article");
  const text = one(".text", article);
  text.className = "text";
  write(text, answer.answer, { lines: true });
  const notes = [
    answer.answered === false ? "not answered by the documents found; " : "",
    answer.age_s === undefined ? "" : `an earlier answer, given ${seconds(answer.age_s)} ago; `,
    answer.simulated ? `${answer.served_by.generator} is the simulated provider, not a language model; ` : "",
  ].join("");
  const whole = answer.degraded ? `degraded: ${answer.degraded_stages.join(", ")}` : "not degraded";
  write(one(".served", article), `${notes}${whole}; ${answer.replica}, ${ms(answer.ms)}, shared state ${answer.shared_state}`);
  write(one(".quality", article), qualityWords(answer.quality));
  offerRating(answer.id);
  drawPath(one(".path", article), answer);
  one(".citations", article).replaceChildren(...answer.citations.map(citation));
  one("details tbody", article).replaceChildren(
    ...answer.attempts.map((a) => element("tr", {}, element("th", { scope: "row", text: a.circuit }), cell("", a.outcome), cell("", ms(a.ms), "number"), cell("", a.reason ?? ""))),
  );
}

function citation({ n, document: name, also_in: others = [], text, quote }) {
  const where = [name, ...others].join(", ");
  const summary = element("summary", { text: where }, element("span", { text: excerpt(quote || text), cls: "excerpt" }));
  return element("li", { value: n }, element("details", {}, summary, element("p", { text, lines: true, cls: "passage" })));
}

function showError(message) {
  const article = one("#ask article");
  const text = one(".text", article);
  text.className = "text error";
  write(text, message);
  offerRating("");
  for (const words of [".served", ".quality"]) write(one(words, article), "");
  for (const part of [".path", ".citations", "details tbody"]) one(part, article).replaceChildren();
}
