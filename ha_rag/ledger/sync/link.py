"""Link: whether the ledger is reachable (two failures in a row mean it is not), and the ledger's current time."""

from __future__ import annotations

from ha_rag.clock import Clock

LOST_AFTER = 2
"""Failures in a row after which the ledger counts as unreachable."""


class Link:
    """The state of one replica's connection to the ledger. Updated on one event loop, read from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = LOST_AFTER
        self._lost_s: float | None = None
        self._ledger_ms: int | None = None
        self._ledger_ms_at_s = 0.0
        self.reason = "no reply yet"
        self.round_trip_s = 0.0
        """How long the ledger took for its last reply to a poll; 0 before the first."""

    @property
    def up(self) -> bool:
        """Whether the ledger is reachable."""
        return self._failures < LOST_AFTER

    def answered(self, ledger_ms: int | None) -> float | None:
        """Notes a reply, with the ledger's time if known. Returns for how many seconds the ledger was unreachable.

        Returns None if it was reachable before.
        """
        now = self._clock.monotonic_s()
        away_s = None if self.up or self._lost_s is None else now - self._lost_s
        self._failures = 0
        if ledger_ms is not None:
            self._ledger_ms, self._ledger_ms_at_s = ledger_ms, now
        return away_s

    def failed(self, reason: str) -> bool:
        """Notes a failure. Returns whether the ledger became unreachable by it; initially one failure is enough."""
        self._failures += 1
        self.reason = reason
        if self._failures != LOST_AFTER and self._lost_s is not None:
            return False
        lost = not self.up
        if lost:
            self._lost_s = self._clock.monotonic_s()
        return lost

    def ledger_now_ms(self) -> int | None:
        """The ledger's time, or None if unknown. Never ahead of it: counted from the arrival of the last reply."""
        if self._ledger_ms is None:
            return None
        return self._ledger_ms + int((self._clock.monotonic_s() - self._ledger_ms_at_s) * 1000)
