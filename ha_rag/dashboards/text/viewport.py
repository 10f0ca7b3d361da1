"""Viewport: the size and abilities of a terminal, and how states look on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ha_rag.harmless import harmless
from ha_rag.monitor.snapshot import CircuitPicture

STYLES = {
    "closed": "green", "open": "bold red", "half_open": "yellow", "waiting": "dim",
    "fresh": "green", "stale": "yellow", "local": "yellow",
}  # fmt: skip
SYMBOLS = {"closed": "●", "open": "■", "half_open": "◐", "waiting": "○"}
PLAIN_SYMBOLS = {"closed": "*", "open": "#", "half_open": "~", "waiting": "o"}
LONGEST = 300
"""Characters of one name, reason or error; the rest is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """Size in columns and lines. `plain`: ASCII symbols only. `faded`: without colours, for a stale snapshot."""

    width: int = 100
    height: int = 40
    plain: bool = False
    faded: bool = False

    def symbol(self, state: str) -> str:
        """The symbol of a state."""
        return (PLAIN_SYMBOLS if self.plain else SYMBOLS).get(state, "?")

    def style(self, state: str) -> str:
        """The colour of a state; none in a faded view, so that an old state does not look live."""
        return "dim" if self.faded else STYLES.get(state, "")

    @property
    def ellipsis(self) -> str:
        """What stands for text that was left out."""
        return "..." if self.plain else "…"


def safe(text: object) -> str:
    """Text from outside: on one line, and not too long."""
    return harmless(text, longest=LONGEST)


def state_of(circuit: CircuitPicture) -> str:
    """The state as it is shown: "waiting" is half-open without traffic."""
    return "waiting" if circuit.state == "half_open" and circuit.waiting else circuit.state


def state_text(circuit: CircuitPicture) -> str:
    """The state in words."""
    state = state_of(circuit)
    return "waiting for traffic" if state == "waiting" else safe(state).replace("_", "-")


def is_troubled(circuit: CircuitPicture) -> bool:
    """Whether somebody should see it: it is not closed, not so in some replica, or not left to itself."""
    return circuit.state != "closed" or circuit.override is not None or bool(circuit.differing)


def clock(at: float) -> str:
    """The time of day here."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def in_ms(value: float | None) -> str:
    """A latency."""
    return "-" if value is None else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
