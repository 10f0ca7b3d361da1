// The quality to expect of an answer, in words: how good its tiers are by measure, and who measured that on what.

import { percent } from "./format.js";

const MEASURES = { "ndcg@10": "nDCG@10" };

export function qualityWords(quality) {
  if (!quality) return "";
  const measure = MEASURES[quality.metric] ?? quality.metric;
  const search = `search ${quality.expected.toFixed(3)}, at best ${quality.best.toFixed(3)} (${measure})`;
  const texts = quality.answers
    ? `; ${percent(quality.answers.expected)} of answers with the right words, at best ${percent(quality.answers.best)}`
    : "";
  const source = measuredBy(quality);
  return `quality to expect: ${search}${texts}${source ? `; ${source}` : ""}`;
}

function measuredBy({ source, measured_on: named }) {
  const data = named || "data without a name";
  if (source === "profile") return `measured by ha-rag evaluate with ${data}, on these documents`;
  if (source === "shipped") return `measured by the authors of ha_rag with ${data}, not on your documents: ha-rag evaluate measures yours`;
  return source === "given" ? `given by the program that runs this replica, measured with ${data}` : "";
}
