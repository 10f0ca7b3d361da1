// The citations of an answer: a number in its text shows the passage, with the words that support the answer marked.

import { element, one } from "./dom.js";

const NUMBERS = /\[(\d{1,3}(?:, ?\d{1,3})*)\]/g;
const HEADING = /^#{1,6} +(.+)$/m;
const ADDRESS = /^https?:\/\/[^\s]+$/i;

// The answer's text, in which each number of a citation is a button. "[1, 2]" becomes "[1][2]".
export function withCitations(text, citations) {
  const known = new Map(citations.map((citation) => [citation.n, citation]));
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(NUMBERS)) {
    const cited = found[1].split(",").map(Number).map((n) => known.get(n));
    if (cited.includes(undefined)) continue;
    parts.push(prose(text.slice(from, found.index)), ...cited.map(reference));
    from = found.index + found[0].length;
  }
  return [...parts, prose(text.slice(from))];
}

export function showCitations(list, citations) {
  list.replaceChildren(...citations.map(item));
}

const prose = (text) => element("span", { text, lines: true });

function reference({ n, document: name }) {
  const button = element("button", { type: "button", cls: "cite", text: `[${n}]`, "aria-label": `Citation ${n}: ${name}`, "aria-controls": `citation-${n}` });
  button.addEventListener("focus", () => open(n));
  button.addEventListener("click", () => {
    const passage = open(n);
    (one("mark", passage) ?? passage).scrollIntoView({ block: "nearest" });
  });
  return button;
}

// Shows one passage, and closes the others.
function open(n) {
  for (const other of document.querySelectorAll("#ask .citations li")) {
    const chosen = other.id === `citation-${n}`;
    other.classList.toggle("current", chosen);
    one("details", other).open = chosen;
  }
  return one(`#citation-${n}`);
}

function item(citation) {
  const { n, document: name, also_in: others = [], text, quote } = citation;
  const heading = HEADING.exec(text)?.[1];
  const where = [[name, ...others].join(", "), ...(heading ? [heading] : [])].join(" · ");
  const summary = element("summary", { text: where }, element("span", { text: excerpt(quote || text), cls: "excerpt" }));
  return element("li", { value: n, id: `citation-${n}` }, element("details", {}, summary, passage(citation), ...link(name)));
}

// Places are counted in characters, not in the units of JavaScript's strings.
function passage({ text, quote, quote_start: start, quote_end: end }) {
  const node = element("p", { cls: "passage" });
  if (!quote) return element("p", { cls: "passage", text, lines: true });
  const characters = [...text];
  const piece = (from, to) => characters.slice(from, to).join("");
  node.append(prose(piece(0, start)), element("mark", { text: piece(start, end), lines: true }), prose(piece(end)));
  return node;
}

const link = (name) => (ADDRESS.test(name) ? [element("a", { href: name, text: "Open the source", rel: "noreferrer noopener", target: "_blank" })] : []);

// The beginning of a passage without Markdown.
const excerpt = (text) => text.replace(/^#{1,6} .*$/m, "").replace(/[#`*|]/g, " ").replace(/\s+/g, " ").trim();
