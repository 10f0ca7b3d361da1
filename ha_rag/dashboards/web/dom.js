// Creates elements. Text is inserted as text, never as HTML, and made harmless: questions, documents, reasons and names
// are untrusted. Other modules set no text or attribute by themselves.

import { harmless } from "./harmless.js";

export const one = (selector, within = document) => within.querySelector(selector);

const shown = (content) => (content instanceof Node ? content : harmless(content));

// Replaces the text of an element. lines: keeps the lines of prose.
export function write(node, text, { lines = false } = {}) {
  node.textContent = harmless(text, { lines });
}

export function titled(text) {
  const title = harmless(text);
  if (document.title !== title) document.title = title;
}

export function describe(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, harmless(value));
}

export function element(name, { text = "", lines = false, cls = "", ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  if (cls) node.className = cls;
  describe(node, attributes);
  node.append(...(text === "" ? [] : [harmless(text, { lines })]), ...children.map(shown));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  describe(node, attributes);
  node.append(...children.map(shown));
  return node;
}

export function cell(label, content, cls = "") {
  const node = element("td", { cls, "data-label": label });
  node.append(...(Array.isArray(content) ? content : [content]).map(shown));
  return node;
}

// Puts `made` in the place of `old`, unless they look the same: what does not change is not laid out and painted again.
export function renew(old, made) {
  if (!old.isEqualNode(made)) old.replaceWith(made);
}

// The same for all children.
export function renewChildren(parent, made) {
  made.forEach((node, at) => (parent.children[at] ? renew(parent.children[at], node) : parent.append(node)));
  while (parent.children.length > made.length) parent.lastElementChild.remove();
}

export function figures(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([term, value]) => [element("dt", { text: term }), element("dd", { text: value })]));
}
