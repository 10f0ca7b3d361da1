// The dialog of orders: says what each one would do before it is given, takes a reason and a duration.

import { describe, element, one, write } from "./dom.js";
import { clock } from "./format.js";
import { consequences, give, token } from "./operator.js";
import { offerUndo } from "./undo.js";

// Order -> what it is called, and what the button does. Without an answer of the server they stand in this order.
const ORDERS = {
  auto: { name: "End the override", button: "End the override" },
  shadow: { name: "Only report", button: "Only report" },
  closed: { name: "Let every call through", button: "Let every call through" },
  disabled: { name: "Let every call through and count none", button: "Stop counting" },
  open: { name: "Refuse every call", button: "Refuse every call" },
};
const AGAIN_MS = 1000;

export function makeOverrideDialog(fleet) {
  const dialog = one("#operator");
  const form = one("form", dialog);
  const error = one(".error", dialog);
  const chosen = () => one("input[name=order]:checked", dialog)?.value ?? "shadow";
  let circuit = "";
  let told = [];

  async function tellConsequences() {
    if (!dialog.open) return;
    const name = circuit;
    told = (await consequences(name).catch(() => null)) ?? [];
    if (!dialog.open || circuit !== name) return;
    for (const { order, effect } of told) {
      const shown = one(`[data-effect=${order}]`, dialog);
      if (shown) write(shown, effect);
    }
    setTimeout(tellConsequences, AGAIN_MS); // the fleet goes on while somebody thinks
  }

  function showChoice() {
    const ending = chosen() === "auto";
    for (const part of dialog.querySelectorAll(".lasting")) part.hidden = ending;
    one("#reason").required = !ending;
    write(one("[value=apply]", form), ORDERS[chosen()].button);
    const minutes = Number(one("#minutes").value);
    write(one("#ends"), minutes > 0 ? `It ends by itself at ${clock(Date.now() / 1000 + 60 * minutes)}.` : "It stays until somebody ends it.");
  }

  form.addEventListener("input", showChoice);
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "apply") return;
    event.preventDefault();
    token.set(one("#token").value.trim());
    write(error, "");
    const before = overrideOf(fleet, circuit);
    const minutes = Number(one("#minutes").value);
    const order = { mode: chosen(), reason: one("#reason").value, for_s: minutes > 0 ? 60 * minutes : null };
    try {
      await give(circuit, order);
      dialog.close();
      const inForce = told.find((each) => each.order === order.mode)?.in_force ?? order.mode;
      offerUndo({ circuit, said: `${circuit} is ${inForce}`, before, givenAt: performance.now() });
    } catch (failure) {
      write(error, failure.message);
    }
  });

  return (name) => {
    circuit = name;
    told = [];
    write(one("#operator-title"), name);
    showChoices(one("#orders"), overrideOf(fleet, name));
    one("#reason").value = "";
    one("#minutes").value = "60";
    one("#token").value = token.get();
    write(error, "");
    showChoice();
    dialog.showModal();
    tellConsequences();
  };
}

const overrideOf = (fleet, name) => fleet.picture?.circuits.find((circuit) => circuit.name === name)?.override ?? null;

function showChoices(list, override) {
  const orders = Object.keys(ORDERS).filter((order) => override || order !== "auto");
  list.replaceChildren(element("legend", { text: "What shall it do?" }), ...orders.map(choice));
}

function choice(order, n) {
  const radio = element("input", { type: "radio", name: "order", value: order, id: `order-${order}`, "aria-describedby": `effect-${order}` });
  if (n === 0) describe(radio, { checked: "" });
  const name = element("label", { for: radio.id, text: ORDERS[order].name });
  return element("div", { cls: "choice" }, radio, name, element("p", { id: `effect-${order}`, "data-effect": order, cls: "effect" }));
}
