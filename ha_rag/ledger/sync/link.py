"""Link: whether the ledger can be reached, judged by two failures in a row; and what time it is over there."""

from __future__ import annotations

from ha_rag.clock import Clock

LOST_AFTER = 2
"""Failures in a row after which the replica goes on alone."""


class Link:
    """The state of one replica's connection to the ledger. Used on one event loop; reading is safe everywhere."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = LOST_AFTER
        self._lost_s: float | None = None
        self._ledger_ms: int | None = None
        self._told_s = 0.0
        self.reason = "not heard yet"

    @property
    def up(self) -> bool:
        """Whether the ledger answered lately."""
        return self._failures < LOST_AFTER

    def answered(self, ledger_ms: int | None) -> float | None:
        """The ledger answered, and told its time if it is known. Seconds that it was away, where it had been lost."""
        now = self._clock.monotonic_s()
        away = None if self.up or self._lost_s is None else now - self._lost_s
        self._failures = 0
        if ledger_ms is not None:
            self._ledger_ms, self._told_s = ledger_ms, now
        return away

    def failed(self, reason: str) -> bool:
        """The ledger did not answer. Whether this loses it; at the start, the first failure does."""
        self._failures += 1
        self.reason = reason
        if self._failures != LOST_AFTER and self._lost_s is not None:
            return False
        lost = not self.up
        if lost:
            self._lost_s = self._clock.monotonic_s()
        return lost

    def ledger_now_ms(self) -> int | None:
        """The ledger's time, or None where it never told. Never ahead of it: counted from when its word arrived."""
        if self._ledger_ms is None:
            return None
        return self._ledger_ms + int((self._clock.monotonic_s() - self._told_s) * 1000)
