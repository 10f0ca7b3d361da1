// Numbers and states as people read them.

export const percent = (share) => `${Math.round(100 * share)} %`;
export const ms = (value) => (value === null ? "–" : value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);
export const clock = (at) => new Date(1000 * at).toLocaleTimeString([], { hour12: false });
export const seconds = (value) => (value < 60 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`);
export const bytes = (value) => (value === null ? "–" : `${(value / 2 ** 20).toFixed(1)} MiB`);

// A sign beside each colour, for those who see no difference between them.
const SIGNS = { closed: "●", open: "■", half_open: "◐", waiting: "○" };

export function stateOf(circuit) {
  const state = circuit.state === "half_open" && circuit.waiting ? "waiting" : circuit.state;
  const words = { closed: "closed", open: "open", half_open: "half-open", waiting: "waiting for traffic" }[state];
  return { state, words, sign: SIGNS[state] };
}

export const plain = (state) => state.replace("_", "-");
