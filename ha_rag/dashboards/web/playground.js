// The playground: a question, its answer with citations, and the path through the tiers.

import { notesOf, whyDegraded } from "./answered.js";
import { showCitations, withCitations } from "./citations.js";
import { cell, element, one, write } from "./dom.js";
import { authorized } from "./stream.js";
import { drawPath } from "./path.js";
import { qualityWords } from "./quality.js";
import { makeRating, offerRating } from "./satisfaction.js";
import { ms } from "./format.js";

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
    // While an input method composes a character, Enter ends that. Shift breaks the line.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!one("button", form).disabled) form.requestSubmit();
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

function show(answer) {
  const article = one("#ask article");
  const text = one(".text", article);
  text.className = "text";
  text.replaceChildren(...withCitations(answer.answer, answer.citations));
  const whole = answer.degraded ? `degraded: ${answer.degraded_stages.join(", ")}` : "not degraded";
  write(one(".served", article), `${whole}; ${answer.replica}, ${ms(answer.ms)}, shared state ${answer.shared_state}`);
  write(one(".quality", article), qualityWords(answer.quality));
  list(one(".notes", article), notesOf(answer));
  list(one(".causes", article), whyDegraded(answer));
  offerRating(answer.id);
  drawPath(one(".path", article), answer);
  showCitations(one(".citations", article), answer.citations);
  one("details.attempts", article).hidden = false;
  one(".attempts tbody", article).replaceChildren(
    ...answer.attempts.map((a) => element("tr", {}, element("th", { scope: "row", text: a.circuit }), cell("", a.outcome), cell("", ms(a.ms), "number"), cell("", a.reason ?? ""))),
  );
}

function list(node, sentences) {
  node.hidden = sentences.length === 0;
  node.replaceChildren(...sentences.map((text) => element("li", { text })));
}

function showError(message) {
  const article = one("#ask article");
  const text = one(".text", article);
  text.className = "text error";
  write(text, message);
  offerRating("");
  for (const words of [".served", ".quality"]) write(one(words, article), "");
  for (const part of [".notes", ".causes"]) list(one(part, article), []);
  for (const part of [".path", ".citations", ".attempts tbody"]) one(part, article).replaceChildren();
  one("details.attempts", article).hidden = true;
}
