// How an answer came about, in words: what degraded it, and what else is to be known of it.

import { seconds } from "./format.js";

const OUTCOMES = {
  failed: "failed",
  timeout: "took too long",
  throttled: "asked for a pause",
  invalid: "refused the request",
  cancelled: "was given up, since another answered first",
  skipped: "was skipped",
  slow: "answered, but slowly",
};

// A sentence for each stage that its first tier did not serve.
export const whyDegraded = (answer) => answer.degraded_stages.map((stage) => stageInWords(answer, stage));

function stageInWords(answer, stage) {
  const served = answer.served_by[stage];
  const tried = answer.attempts.filter((attempt) => attempt.circuit.startsWith(`${stage}.`) && attempt.circuit !== `${stage}.${served}`);
  const causes = tried.map((attempt) => `${attempt.circuit} ${outcome(attempt)}`);
  return `${causes.length ? `${causes.join("; ")}; ` : ""}${served} served the ${stage} instead`;
}

function outcome(attempt) {
  if (attempt.outcome === "rejected") return `was not asked, since its circuit is ${attempt.state.replace("_", "-") || "open"}`;
  const words = OUTCOMES[attempt.outcome] ?? attempt.outcome;
  return attempt.reason ? `${words} (${attempt.reason})` : words;
}

export function notesOf(answer) {
  return [
    ...(answer.answered === false ? ["The documents that were found do not answer this."] : []),
    ...(answer.age_s === undefined ? [] : [`An earlier answer to this question, given ${seconds(answer.age_s)} ago, since nothing writes answers now.`]),
    ...(answer.simulated ? [`${answer.served_by.generator} is the simulated provider, not a language model.`] : []),
    ...(answer.truncated ? [`The text is incomplete (${answer.finish_reason}).`] : []),
  ];
}
