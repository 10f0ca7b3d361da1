// What users get: the headline, what is wrong, the colour, and the tab's title and icon. All of it is computed by the
// server (ha_rag/monitor/impact.py), so that every replica's page and the terminal say the same.

import { describe, element, one, titled, write } from "./dom.js";

// The styles of states have the colours of the levels.
const STYLES = { well: "closed", reduced: "half_open", failing: "open" };

// Behind a front, a replica of 0.1.0 may answer: it says none.
const OLDER = { level: "unknown", headline: "An older version of ha_rag answers", problems: [], notes: [], title: "○ ha_rag" };

export function showImpact(given) {
  const impact = given ?? OLDER;
  const verdict = one("#verdict");
  verdict.className = STYLES[impact.level] ?? "stale";
  write(verdict, impact.headline);
  const lines = [...impact.problems.map((text) => line(text, "problem")), ...impact.notes.map((text) => line(text, "quiet"))];
  const list = one("#troubles");
  list.className = verdict.className;
  list.hidden = lines.length === 0;
  if (list.textContent !== lines.map((li) => li.textContent).join("")) list.replaceChildren(...lines);
  mark(impact.title, impact.level);
}

export function showDisconnected(text) {
  const verdict = one("#verdict");
  verdict.className = "stale";
  write(verdict, text);
  one("#troubles").className = "stale"; // the last known ones
  mark("○ disconnected · ha_rag", "unknown");
}

const line = (text, cls) => element("li", { text, cls });

function mark(title, icon) {
  titled(title);
  const path = `/web/icon-${icon}.svg`;
  const link = one("link[rel=icon]");
  if (link.getAttribute("href") !== path) describe(link, { href: path });
}
