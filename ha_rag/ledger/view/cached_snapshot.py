"""CachedSnapshot: what one replica last heard of the fleet's circuit, read by this replica's own clock.

The ledger tells how many milliseconds remain; from the moment its word arrives the replica counts by itself, so no
clock of another machine is ever compared with this one. Not locked: its view holds the lock.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ha_rag.circuit.rules import RestorePoint, origin
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState, OperatorOverride, OverrideMode

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

LATE_MS = 1000
"""An answer this much older than the last one is not late (none travels that long): the ledger's clock was set back."""


class CachedSnapshot:
    """The last snapshot heard, and when what it tells of ends by the local clock (monotonic seconds)."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(now_ms=0)
        self.confirmed_s = -math.inf
        self.open_until_s = 0.0
        self.override_until_s = math.inf
        self.closed_at_s = -math.inf

    @property
    def epoch(self) -> int:
        """The last transition heard of; it never goes down."""
        return self.snapshot.epoch

    def state(self, now_s: float) -> CircuitState:
        """The fleet's state now: an open circuit whose rest is over is half-open."""
        state = self.snapshot.state
        return HALF_OPEN if state is OPEN and now_s >= self.open_until_s else state

    def mode(self, now_s: float) -> OverrideMode | None:
        """The operator's word that is in force."""
        word = self.snapshot.override
        return word.mode if word is not None and now_s < self.override_until_s else None

    def is_late(self, snapshot: Snapshot) -> bool:
        """Whether a newer answer of the same epoch has overtaken this one."""
        return snapshot.epoch == self.epoch and 0 < self.snapshot.now_ms - snapshot.now_ms < LATE_MS

    def contradicts(self, snapshot: Snapshot) -> bool:
        """Whether it gives the epoch that is believed to another transition: then it tells of another history."""
        return snapshot.epoch == self.epoch and origin(snapshot.restore_point()) != origin(
            self.snapshot.restore_point()
        )

    def adds_to(self, snapshot: Snapshot) -> bool:
        """Whether what is believed here is missing in a ledger that has just been taught.

        Of two circuits that are simply closed neither adds anything to the other.
        """
        after, before = snapshot.missed
        return after < self.epoch < before and not (
            _closed_without_override(self.snapshot) and _closed_without_override(snapshot)
        )

    def adopt(self, snapshot: Snapshot, now_s: float) -> None:
        """Believes `snapshot` from now on."""
        self.closed_at_s = self._closed_at_s(snapshot, now_s)
        self.snapshot = snapshot
        self.open_until_s = math.inf if snapshot.left_ms == UNKNOWN else now_s + snapshot.left_ms / 1000
        word = snapshot.override
        ends_ms = word.until_ms if word is not None else None
        self.override_until_s = math.inf if ends_ms is None else now_s + (ends_ms - snapshot.now_ms) / 1000

    def _closed_at_s(self, snapshot: Snapshot, now_s: float) -> float:
        """When the service came back, by the local clock; minus infinity: never, or long ago.

        A closed circuit that is closed anew (a word that ended, a ledger that was taught) has come back from nothing.
        """
        if snapshot.state is not CLOSED or snapshot.override is not None:
            return -math.inf
        before = self.snapshot
        if before.state is CLOSED and snapshot.open_count <= before.open_count:
            return self.closed_at_s
        return now_s - (snapshot.now_ms - snapshot.changed_at_ms) / 1000

    def set_override(self, word: OperatorOverride | None) -> None:
        """Keeps an operator's word on a circuit of this replica's own; its end is in ms of the local clock."""
        self.snapshot = replace(self.snapshot, override=word)
        until_ms = word.until_ms if word is not None else None
        self.override_until_s = math.inf if until_ms is None else until_ms / 1000

    def restore_point(self, now_s: float, ledger_now_ms: int) -> RestorePoint:
        """What a ledger that forgot it should be taught, whose clock shows `ledger_now_ms`."""
        known = self.snapshot
        resting = known.state is OPEN and known.override is None
        left_ms = max(0, int((self.open_until_s - now_s) * 1000)) if resting else 0
        return replace(known.restore_point(), left_ms=left_ms, override=self._word(now_s, ledger_now_ms))

    def _word(self, now_s: float, ledger_now_ms: int) -> OperatorOverride | None:
        word = self.snapshot.override
        if word is None or self.mode(now_s) is None:
            return None
        left_s = self.override_until_s - now_s
        return replace(word, until_ms=None if left_s == math.inf else ledger_now_ms + int(left_s * 1000))


def _closed_without_override(known: Snapshot) -> bool:
    return known.state is CLOSED and known.override is None
