// The documents of the index, for operators: a list with their states, and files to add.

import { cell, element, one, write } from "./dom.js";
import { asOperator, refusal, token } from "./operator.js";

const PAGE = 50;
const MOST_FILES = 20;
const MOST_BYTES = 10_000_000;

let following = null; // `next` of the page that is shown last

export function makeDocuments() {
  const section = one("#documents");
  one("form.find", section).addEventListener("submit", (event) => run(event, () => list(false)));
  one("form.add", section).addEventListener("submit", (event) => run(event, add));
  one("button.more", section).addEventListener("click", (event) => run(event, () => list(true)));
  one("form.token", section).addEventListener("submit", (event) => {
    token.set(one("#documents-token").value.trim());
    run(event, () => list(false));
  });
}

// One request at a time. What went wrong is said in the section.
async function run(event, action) {
  event.preventDefault();
  const section = one("#documents");
  const buttons = section.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  write(one(".error", section), "");
  try {
    await action();
  } catch (failure) {
    write(one(".error", section), failure.message);
  }
  for (const button of buttons) button.disabled = false;
}

async function call(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: asOperator() });
  one("#documents form.token").hidden = reply.status !== 401;
  if (reply.status === 404) throw new Error("This dashboard has no documents. Open the page of a replica or of the front.");
  if (!reply.ok) throw new Error(await refusal(reply));
  return reply.json();
}

async function list(further) {
  const words = one("#words").value.trim();
  const query = new URLSearchParams({ limit: PAGE, ...(words && { words }), ...(further && { after: following }) });
  const page = await call(`/v1/documents?${query}`);
  const body = one("#documents tbody");
  if (!further) body.replaceChildren();
  body.append(...page.documents.map(row));
  following = page.next;
  one("#documents .scroll").hidden = body.children.length === 0;
  one("#documents button.more").hidden = following === null;
  const shown = body.children.length;
  write(one("#documents .count"), shown === page.total ? `${shown} documents` : `${shown} of ${page.total} documents${words ? " (those with these words)" : ""}`);
}

function row({ id, title, state, reason, passages, indexed_at: at }) {
  const style = { searchable: "closed", damaged: "open" }[state] ?? "waiting";
  const symbol = { searchable: "●", damaged: "■" }[state] ?? "○";
  return element("tr", {},
    element("th", { scope: "row", title: id, text: id }, ...(title && title !== id ? [element("div", { text: title, cls: "quiet" })] : [])),
    cell("State", [element("span", { text: `${symbol} ${state}`, cls: `state ${style}` }), ...(reason ? [element("div", { text: reason, cls: "quiet" })] : [])]),
    cell("Passages", passages, "number"),
    cell("Indexed", at === null ? "unknown" : new Date(1000 * at).toLocaleString([], { hour12: false, dateStyle: "short", timeStyle: "short" }), "number"),
  );
}

async function add() {
  const chosen = one("#files");
  const files = [...chosen.files];
  if (files.length > MOST_FILES) throw new Error(`At most ${MOST_FILES} files at once; these are ${files.length}.`);
  if (files.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES) throw new Error("At most 10 MB at once. Add larger files with `ha-rag ingest` on the server.");
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  const { files: results } = await call("/v1/documents", { method: "POST", body: form });
  one("#documents .results").replaceChildren(...results.map((result) => element("li", { text: inWords(result), cls: result.error ? "error" : "" })));
  chosen.value = "";
  await list(false);
}

function inWords({ file, documents, notes, unread, error }) {
  if (error) return `${file}: not added: ${error}`;
  const passages = documents.reduce((sum, each) => sum + each.passages, 0);
  const lacking = [...new Set(documents.flatMap((each) => Object.entries(each.missing).map(([embedder, why]) => `no vectors of ${embedder} yet (${why})`)))];
  const parts = unread.map(({ part, reason }) => `${part} was not read: ${reason}`);
  return [`${file}: ${documents.some((each) => each.replaced) ? "replaced" : "added"}, ${passages} passage${passages === 1 ? "" : "s"}`, ...notes, ...parts, ...lacking].join("; ");
}
