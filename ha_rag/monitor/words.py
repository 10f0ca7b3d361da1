"""What events say, in words: the same on the page and in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable

from ha_rag.breaker.report import replica_name
from ha_rag.circuit.rules import EXPIRED
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.transitions import OVERRIDE_BEGINS, OVERRIDE_ENDS, RESTORES, Trigger
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.circuit_words import ordered
from ha_rag.monitor.snapshot import TimelineEvent

BEGAN = {
    "open": "opened by hand",
    "closed": "closed by hand",
    "disabled": "disabled by hand",
    "shadow": "put in shadow by hand",
}
"""Mode of an override -> what its beginning is called."""

LOST = "Redis had lost it"

_INCARNATION = re.compile(r".+~[0-9a-f]{8}")


def override_text(event: StreamEntry) -> str:
    """Whether an override began, ended, or was restored after Redis had lost it; at its beginning also why, by whom and
    until when.
    """
    if event.trigger in OVERRIDE_ENDS:
        ended = "expired" if event.reason == EXPIRED else "ended"
        # After the others the state depends on the circuit: where each replica has its own, on each of them.
        return f"{event.circuit}: override {ended}" + (
            ", now half-open" if event.trigger == Trigger.FORCED_OPEN_ENDED else ""
        )
    if is_restored(event):
        return f"{event.circuit}: override {_mode(event.reason)}restored"
    mode, _, reason = event.reason.partition(": ")
    until = None if event.until_ms is None else event.until_ms / 1000
    return began(event.circuit, mode, ordered(reason, replica_name(event.by), until, Place.of(event).ms / 1000))


def began(circuit: str, mode: str, why: str) -> str:
    """The beginning of an override."""
    return f"{circuit}: {BEGAN[mode]}: {why}" if mode in BEGAN else f"{circuit}: override began"


def details(event: TimelineEvent) -> tuple[str, str]:
    """Reason and by whom, where the text does not say them."""
    reason = "" if _bare(event.reason) in event.text else event.reason
    by = "" if event.kind.startswith("replica") or f"by {event.by}" in event.text else event.by
    return reason, by


def _bare(reason: str) -> str:
    """The reason without the mode of an override before it."""
    mode, _, bare = reason.partition(": ")
    return bare if mode in BEGAN else reason


def _mode(reason: str) -> str:
    """The mode, with which the reason of an override begins."""
    mode = reason.partition(": ")[0]
    return f"{mode} " if mode in list(OverrideMode) else ""


def is_restored(event: StreamEntry) -> bool:
    """Whether a replica wrote this back after Redis had lost it: an operator has no incarnation."""
    return event.trigger in RESTORES or (
        event.trigger in OVERRIDE_BEGINS and _INCARNATION.fullmatch(event.by) is not None
    )


def ended_by_itself(event: StreamEntry) -> bool:
    """Whether an override's time was up, so that nobody ended it."""
    return event.trigger in OVERRIDE_ENDS and event.reason == EXPIRED


def text(event: TimelineEvent) -> str:
    """What happened, for every kind of event."""
    return _TEXTS.get(event.kind, _any)(event)


def _circuit(event: TimelineEvent) -> str:
    before, after = _plain(event.before), _plain(event.after)
    return f"{event.circuit}: {before} -> {after}" if before != after else f"{event.circuit}: still {after}"


def _plain(state: str) -> str:
    return state.replace("_", "-")


def _redis_lost(event: TimelineEvent) -> str:
    return f"{event.circuit}: Redis cannot be used for it" if event.circuit else "Redis is unreachable"


def _redis_back(event: TimelineEvent) -> str:
    return f"{event.circuit}: Redis can be used for it again" if event.circuit else "Redis is reachable again"


def _any(event: TimelineEvent) -> str:
    return f"{event.circuit} {event.kind.replace('_', ' ')}".strip()


_TEXTS: dict[str, Callable[[TimelineEvent], str]] = {
    "circuit": _circuit,
    "restored": lambda event: f"{event.circuit}: {_plain(event.after)}, restored",
    "would_open": lambda event: f"{event.circuit}: would have opened (shadow)",
    "redis_lost": _redis_lost,
    "redis_back": _redis_back,
    "replica_lost": lambda event: f"replica {event.by} is lost",
    "replica_left": lambda event: f"replica {event.by} has stopped",
    "replica_joined": lambda event: f"replica {event.by} has joined",
    "policy_mismatch": lambda event: f"{event.circuit}: replicas have different rules",
    "name_taken": lambda event: "two replicas have the same name",
}
