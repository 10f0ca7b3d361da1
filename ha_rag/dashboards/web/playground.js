// The playground: a question, its answer with citations, and the path through the tiers.

import { cell, element, one } from "./dom.js";
import { authorized } from "./stream.js";
import { drawPath } from "./path.js";
import { ms } from "./format.js";

export function makePlayground(onKeyRequired) {
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
  text.textContent = answer.answer;
  const quality = answer.degraded ? `degraded: ${answer.degraded_stages.join(", ")}` : "not degraded";
  one(".served", article).textContent = `${quality}; ${answer.replica}, ${ms(answer.ms)}, shared state ${answer.shared_state}`;
  drawPath(one(".path", article), answer);
  one(".citations", article).replaceChildren(...answer.citations.map(citation));
  one("details tbody", article).replaceChildren(
    ...answer.attempts.map((a) => element("tr", {}, element("th", { scope: "row", text: a.circuit }), cell("", a.outcome), cell("", ms(a.ms), "number"), cell("", a.reason ?? ""))),
  );
}

function citation({ n, document: name, text }) {
  const summary = element("summary", { text: name }, element("span", { text: excerpt(text), cls: "excerpt" }));
  return element("li", { value: n }, element("details", {}, summary, element("p", { text, cls: "passage" })));
}

function showError(message) {
  const article = one("#ask article");
  const text = one(".text", article);
  text.className = "text error";
  text.textContent = message;
  one(".served", article).textContent = "";
  for (const part of [".path", ".citations", "details tbody"]) one(part, article).replaceChildren();
}
