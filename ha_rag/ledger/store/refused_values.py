"""RefusedValues: what was heard from the store and refused, because no replica can have written it."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Literal

from ha_rag.clock import Clock, SystemClock
from ha_rag.ledger.store.circuit_names import shown

log = logging.getLogger(__name__)

Source = Literal[
    "circuit", "message", "reply", "event", "change_log", "heartbeat", "list", "cache", "feedback", "experiment"
]

INVALID = "INVALID"
"""The code of the error with which a store refuses a circuit whose stored state no replica can have written."""

LOG_EVERY_S = 60.0
"""A refusal is logged once in this time for each source; all are counted."""

MAX_CIRCUITS = 1000
"""Circuits whose reason is kept."""

SHOWN_FOR_S = 300.0
"""A refusal that is not of a circuit is shown for this long."""

_WHAT: dict[Source, str] = {
    "circuit": "the state of a circuit",
    "message": "a pushed message",
    "reply": "a reply",
    "event": "an entry of a circuit's history",
    "change_log": "an entry of the log of changes",
    "heartbeat": "a heartbeat",
    "list": "an entry of the list of circuits or replicas",
    "cache": "a cached value",
    "feedback": "a part of the feedback",
    "experiment": "a part of an experiment",
}


class RefusedValues:
    """Counts of refused values by source, and the circuits whose stored state is refused. Safe from any thread.

    A value is refused if the protocol cannot mean it (`ha_rag/circuit/bounds.py`); any client of Redis may have
    written it. Nothing follows from it, except that a circuit whose stored state is refused is not shared until it is
    replaced.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._now_s = (clock or SystemClock()).monotonic_s
        self.counts: Counter[Source] = Counter()
        self._circuits: dict[str, str] = {}
        self._last: dict[Source, tuple[float, str]] = {}
        self._logged_s: dict[Source, float] = {}

    def note(self, source: Source, why: str) -> None:
        """Counts a refused value, and logs it unless another one of its source was logged within a minute."""
        self.counts[source] += 1
        now_s, why = self._now_s(), shown(why)
        self._last[source] = now_s, why
        if now_s - self._logged_s.get(source, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged_s[source] = now_s
            log.warning("refused %s in Redis, which no replica can have written: %s", _WHAT[source], why)

    def refuse_circuit(self, circuit: str, why: str) -> None:
        """The stored state of a circuit is refused."""
        if circuit in self._circuits or len(self._circuits) < MAX_CIRCUITS:
            self._circuits[circuit] = shown(why)
        self.note("circuit", f"{shown(circuit)}: {why}")

    def accept_circuit(self, circuit: str) -> None:
        """The stored state of a circuit is valid."""
        if self._circuits:
            self._circuits.pop(circuit, None)

    def reason(self, circuit: str) -> str | None:
        """Why the stored state of a circuit is refused; None if it is not."""
        return self._circuits.get(circuit)

    def circuits(self) -> dict[str, str]:
        """Every circuit whose stored state is refused, and why."""
        return dict(self._circuits)

    def warnings(self) -> tuple[str, ...]:
        """What people should know now, a sentence each: refused circuits, and what else was refused lately."""
        circuits = [
            f"Redis holds a state of circuit {shown(name)} that no replica can have written ({why}), so it is not "
            f"shared; `ha-rag circuits close` replaces it"
            for name, why in sorted(self._circuits.items())
        ]
        now_s = self._now_s()
        lately = [
            f"{self.counts[source]} times something was refused that no replica can have written: {_WHAT[source]} in "
            f"Redis, the last one {why}"
            for source, (at_s, why) in list(self._last.items())
            if source != "circuit" and now_s - at_s < SHOWN_FOR_S
        ]
        return (*circuits, *lately)
