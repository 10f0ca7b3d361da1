// Creates elements. Text is inserted as text, never as HTML: questions, documents, reasons and names are untrusted.

export const one = (selector, within = document) => within.querySelector(selector);

export function element(name, { text = "", cls = "", ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  if (cls) node.className = cls;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...(text === "" ? [] : [String(text)]), ...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function cell(label, content, cls = "") {
  const node = element("td", { cls, "data-label": label });
  node.append(...(Array.isArray(content) ? content : [content]).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

export function figures(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([term, value]) => [element("dt", { text: term }), element("dd", { text: value })]));
}
