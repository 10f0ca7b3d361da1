// Making elements. Text is put in as text, never as HTML: questions, documents, reasons and names may hold anything.

export const one = (selector, within = document) => within.querySelector(selector);

export function element(name, { text = "", cls = "", ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  if (cls) made.className = cls;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...(text === "" ? [] : [String(text)]), ...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function cell(label, content, cls = "") {
  const made = element("td", { cls, "data-label": label });
  made.append(...(Array.isArray(content) ? content : [content]).map((c) => (c instanceof Node ? c : String(c))));
  return made;
}

export function figures(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([term, value]) => [element("dt", { text: term }), element("dd", { text: value })]));
}
