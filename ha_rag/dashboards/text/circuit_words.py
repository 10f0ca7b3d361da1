"""What is said of one circuit: its state, why it is in it, and when it tries again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ha_rag.dashboards.text.viewport import Viewport, safe, state_of, state_text
from ha_rag.monitor.snapshot import CircuitPicture, Rate

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*#@"


def why(circuit: CircuitPicture) -> str:
    """Why the circuit is in its state, who saw it, and where it differs."""
    reasons = []
    if circuit.override is not None:
        ends = circuit.override.ends_in_s
        until = "" if ends is None else f", {ends:.0f} s more"
        reasons.append(f"{circuit.override.reason} ({circuit.override.by}{until})")
    elif circuit.state != "closed":
        reasons.append(circuit.reason)
    if circuit.voters:
        reasons.append("seen by " + ", ".join(circuit.voters))
    if circuit.unconfirmed:
        reasons.append(f"not confirmed yet by {circuit.unconfirmed}")
    reasons += [f"{differing.replica}: {differing.state.replace('_', '-')} there" for differing in circuit.differing]
    return safe("; ".join(filter(None, reasons)))


def state_words(circuit: CircuitPicture, view: Viewport, *, short: bool = False) -> str:
    """The state with its symbol, and whether it is overridden. `short`: in as few words as can be."""
    state, override = f"{view.symbol(state_of(circuit))} ", circuit.override
    if not short:
        return state + state_text(circuit) + (f" (override: {safe(override.mode)})" if override else "")
    words = "waiting" if state_of(circuit) == "waiting" else state_text(circuit)
    if override is None:
        return state + words
    return f"{state}{words} by hand" if override.mode == circuit.state else f"{state}{safe(override.mode)}"


def countdown(circuit: CircuitPicture, ago_s: float) -> str:
    """Seconds until an open circuit lets a probe through; "" if it is not open, or stays so."""
    return "" if circuit.recovers_in_s is None else f"{max(0.0, circuit.recovers_in_s - ago_s):.1f} s"


def spark(history: Sequence[Rate], view: Viewport) -> Text:
    """The share of failures over time, one character per point, in the colour of the state."""
    blocks = PLAIN_BLOCKS if view.plain else BLOCKS
    line = Text()
    for rate in history:
        level = min(len(blocks) - 1, round(rate.failure_rate * (len(blocks) - 1)))
        line.append(blocks[level], "dim" if rate.state == "closed" and not level else view.style(rate.state))
    return line
