// After an order: what is in force now, and a button that restores what was in force before.

import { one, write } from "./dom.js";
import { give } from "./operator.js";

let offered = null;

export function makeUndo() {
  one("#undo button[value=undo]").addEventListener("click", undo);
  one("#undo button[value=close]").addEventListener("click", () => offerUndo(null));
}

// given: {circuit, said, before, givenAt}; before: the override that was in force, or null. null: nothing is offered.
export function offerUndo(given) {
  offered = given;
  one("#undo").hidden = given === null;
  if (!given) return;
  one("#undo button[value=undo]").hidden = false;
  write(one("#undo p"), `${given.said}.`);
  write(one("#undo button[value=undo]"), given.before ? `Undo: ${given.before.mode} again` : "Undo: end the override");
}

async function undo() {
  const { circuit, before, givenAt } = offered;
  const button = one("#undo button[value=undo]");
  button.disabled = true;
  try {
    await give(circuit, restoring(before, (performance.now() - givenAt) / 1000));
    write(one("#undo p"), `${circuit} is as it was before the order.`);
    button.hidden = true;
  } catch (failure) {
    write(one("#undo p"), `Not undone: ${failure.message}`);
  }
  button.disabled = false;
}

// An override that ended by itself would have gone on ending.
function restoring(before, agoS) {
  if (!before || (before.ends_in_s !== null && before.ends_in_s <= agoS)) return { mode: "auto" };
  return { mode: before.mode, reason: before.reason, for_s: before.ends_in_s === null ? null : before.ends_in_s - agoS };
}
