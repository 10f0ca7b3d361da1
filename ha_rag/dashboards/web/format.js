// Formats numbers and states for display.

// What is not nothing is not shown as nothing.
export const percent = (share) => (share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`);
export const ms = (value) => {
  if (value === null) return "–";
  return value < 9.95 ? `${value.toFixed(1)} ms` : value < 999.5 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`;
};
export const clock = (at) => new Date(1000 * at).toLocaleTimeString([], { hour12: false });
export const seconds = (value) => (value < 60 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`);
export const bytes = (value) => (value === null ? "–" : `${(value / 2 ** 20).toFixed(1)} MiB`);

// Symbols besides the colours, for people who cannot tell these apart.
const SYMBOLS = { closed: "●", open: "■", half_open: "◐", waiting: "○" };

export function stateOf(circuit) {
  const state = circuit.state === "half_open" && circuit.waiting ? "waiting" : circuit.state;
  const label = { closed: "closed", open: "open", half_open: "half-open", waiting: "waiting for traffic" }[state];
  return { state, label, symbol: SYMBOLS[state] };
}

export const plain = (state) => state.replace("_", "-");
