"""The page of help: keys, symbols, and the columns of circuits."""

from __future__ import annotations

from rich.text import Text

from ha_rag.dashboards.text.viewport import Viewport
from ha_rag.dashboards.text.wrapping import wrapped

KEYS = (
    ("q", "ends"),
    ("j, k, arrows", "select a circuit"),
    ("enter", "its history, and all that is known of it"),
    ("o", "open: every call is refused"),
    ("c", "close: every call is let through"),
    ("d", "disable: calls are let through, and none is counted"),
    ("s", "shadow: calls are let through; only reports when it would open"),
    ("a", "auto: ends the override"),
    ("?", "this page"),
    ("esc", "back; gives no order"),
)
STATES = (
    ("closed", "closed: calls are let through"),
    ("open", "open: calls are refused; the next tier answers"),
    ("half_open", "half-open: single calls are let through as probes"),
    ("waiting", "waiting for traffic: half-open, and no calls arrive"),
)
NOTES = (
    "Orders need the operator token (HA_RAG_ADMIN_TOKEN); if the fleet has none, they can be given on its machine.",
    "The line of tiers shows the share of the last minute's answers that each gave. share: the same. failed, slow: "
    "shares of the calls in the circuit's window. recovers: until an open circuit lets a probe through.",
)


def help_lines(view: Viewport, room: int) -> list[Text]:
    """The page, without the notes that do not fit into `room` lines."""
    lines = [line for key, what in KEYS for line in wrapped(Text(f"{key:<14}{what}"), view.width, 14)]
    lines.append(Text())
    for state, what in STATES:
        text = Text.assemble((f"{view.symbol(state):<2}", view.style(state)), what)
        lines += wrapped(text, view.width, 2)
    for note in NOTES:
        more = [Text(), *wrapped(Text(note, "dim"), view.width)]
        lines += more if len(lines) + len(more) <= room else []
    return lines
