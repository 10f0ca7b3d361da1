// The override dialog: sets or ends the override of one circuit, with a reason and an optional duration.

import { one, write } from "./dom.js";
import { authorized, key } from "./stream.js";

const TOKEN = "ha_rag token";

export function makeOverrideDialog() {
  const dialog = one("#operator");
  const form = one("form", dialog);
  const error = one(".error", dialog);
  let circuit = "";

  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "apply") return;
    event.preventDefault();
    const token = one("#token").value.trim();
    if (token) sessionStorage.setItem(TOKEN, token);
    write(error, "");
    try {
      await submit(circuit, one("#mode").value, one("#reason").value, one("#minutes").value);
      dialog.close();
    } catch (failure) {
      write(error, failure.message);
    }
  });

  return (name) => {
    circuit = name;
    write(one("#operator-title"), `Override ${name}`);
    one("#token").value = sessionStorage.getItem(TOKEN) ?? "";
    write(error, "");
    dialog.showModal();
  };
}

async function submit(circuit, mode, reason, minutes) {
  const headers = { "Content-Type": "application/json", ...authorized(sessionStorage.getItem(TOKEN) ?? key.get()) };
  const ending = mode === "auto";
  const body = ending ? {} : { mode, reason, ...(minutes ? { for_s: 60 * Number(minutes) } : {}) };
  const path = `/v1/circuits/${encodeURIComponent(circuit)}/override`;
  const reply = await fetch(path, { method: ending ? "DELETE" : "PUT", headers, body: JSON.stringify(body) });
  if (reply.status === 401) throw new Error("The server rejected this token.");
  if (!reply.ok) throw new Error((await reply.json()).error.message);
}
