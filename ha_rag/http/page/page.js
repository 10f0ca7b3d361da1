"use strict";
// Everything shown here is put in as text, never as HTML: questions and documents may hold anything.

const byId = (id) => document.getElementById(id);
const words = (state) => state.replace("_", "-");

function element(name, text = "", style = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = style;
  return made;
}

function row(...cells) {
  const made = element("tr");
  made.append(...cells.map((cell) => (cell instanceof Node ? cell : element("td", cell))));
  return made;
}

async function call(path, options = {}) {
  const key = sessionStorage.getItem("ha_rag key");
  const headers = { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const reply = await fetch(path, { ...options, headers });
  byId("key").hidden = reply.status !== 401;
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error.message);
  return body;
}

// The first words of a passage, without Markdown's marks; the whole of it opens below.
const beginning = (text) => text.replace(/^#{1,6} .*$/m, "").replace(/[#`*|]/g, " ").replace(/\s+/g, " ").trim();

function showAnswer(answer) {
  byId("text").className = "";
  byId("text").textContent = answer.answer;
  const served = Object.entries(answer.served_by).map(([stage, tier]) =>
    element("span", `${stage}: ${tier}`, `badge ${answer.degraded_stages.includes(stage) ? "degraded" : "ok"}`));
  byId("served").replaceChildren(...served, element("span", `${answer.replica}, ${answer.ms.toFixed(1)} ms`, "quiet"));
  byId("citations").replaceChildren(...answer.citations.map((citation) => {
    const item = element("li");
    const whole = element("details");
    const summary = element("summary", citation.document);
    summary.append(element("span", beginning(citation.text), "beginning"));
    whole.append(summary, element("p", citation.text, "passage"));
    item.value = citation.n;
    item.append(whole);
    return item;
  }));
  byId("attempts").replaceChildren(...answer.attempts.map((attempt) =>
    row(attempt.circuit, element("td", attempt.outcome, attempt.outcome), `${attempt.ms.toFixed(1)} ms`, attempt.reason ?? "")));
}

function showTrouble(error) {
  byId("text").className = "error";
  byId("text").textContent = error.message;
  for (const id of ["served", "citations", "attempts"]) byId(id).replaceChildren();
}

byId("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? byId("ask").querySelector("button");
  button.disabled = true;
  try {
    const question = byId("question").value;
    const top_k = Number(byId("top-k").value);
    showAnswer(await call("/v1/query", { method: "POST", body: JSON.stringify({ question, top_k }) }));
  } catch (error) {
    showTrouble(error);
  }
  byId("answer").hidden = false;
  button.disabled = false;
});

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("ha_rag key", byId("api-key").value);
  byId("key").hidden = true;
});

byId("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("ask").requestSubmit();
});

function circuitRow(circuit) {
  const state = element("td", words(circuit.state), circuit.state);
  if (circuit.override) state.append(` (${circuit.override.mode} by hand)`);
  if (circuit.here) state.append(`, here ${words(circuit.here.state)}`);
  const recovers = circuit.recovers_in_s === null ? "" : `${circuit.recovers_in_s.toFixed(1)} s`;
  const why = circuit.override ? circuit.override.reason : circuit.state === "closed" ? "" : circuit.reason;
  return row(circuit.name, state, `${Math.round(100 * circuit.failure_rate)} %`, String(circuit.samples), recovers, why);
}

async function showCircuits() {
  try {
    const { circuits, shared_state, replica } = await call("/v1/circuits");
    byId("circuits").replaceChildren(...circuits.map(circuitRow));
    byId("shared").textContent = `shared state: ${shared_state}`;
    byId("shared").className = `quiet ${shared_state}`;
    byId("replica").textContent = replica;
  } catch (error) {
    byId("shared").textContent = error.message;
    byId("shared").className = "quiet error";
  }
  setTimeout(showCircuits, document.hidden ? 5000 : 1000);
}

showCircuits();
