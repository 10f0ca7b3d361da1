// Orders over circuits, as the HTTP interface takes them, with the operator token of this tab.

import { authorized, key } from "./stream.js";

const TOKEN = "ha_rag token";

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => value && sessionStorage.setItem(TOKEN, value),
};

// Headers of an operator. A server without a token admits its own machine; an API key may be needed all the same.
export const asOperator = () => authorized(token.get() || key.get());

// What each order would do now, the least destructive first; null from a server that does not say, such as 0.1.0.
export async function consequences(circuit) {
  const reply = await fetch(`/v1/orders?circuit=${encodeURIComponent(circuit)}`, { headers: asOperator() });
  return reply.ok ? (await reply.json()).orders : null;
}

// order: {mode, reason, for_s}. Mode "auto" ends the override; for_s null: until somebody ends it.
export async function give(circuit, { mode, reason, for_s: forS }) {
  const ending = mode === "auto";
  const body = ending ? {} : { mode, reason, ...(forS === null ? {} : { for_s: forS }) };
  const path = `/v1/circuits/${encodeURIComponent(circuit)}/override`;
  const headers = { "Content-Type": "application/json", ...asOperator() };
  const reply = await fetch(path, { method: ending ? "DELETE" : "PUT", headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(await refusal(reply));
  return reply.json();
}

// Why a request for operators was refused, and what helps.
export async function refusal(reply) {
  if (reply.status === 401) {
    return token.get() ? "The server does not accept this operator token." : "This needs the operator token (HA_RAG_ADMIN_TOKEN of the server).";
  }
  try {
    return (await reply.json()).error.message;
  } catch {
    return `The server replied with HTTP ${reply.status}.`;
  }
}
