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
        self._lost_s = clock.monotonic_s()
        self._ledger_ms: int | None = None
        self._told_s = 0.0
        self.reason = "not heard yet"

    @property
    def up(self) -> bool:
        """Whether the ledger answered lately."""
        return self._failures < LOST_AFTER

    def answered(self, ledger_ms: int) -> float | None:
        """The ledger answered, and told its time. Seconds that it was away, where it had been lost."""
        now = self._clock.monotonic_s()
        away = None if self.up else now - self._lost_s
        self._failures = 0
        self._ledger_ms, self._told_s = ledger_ms, now
        return away

    def failed(self, reason: str) -> bool:
        """The ledger did not answer. Whether this loses it."""
        self._failures += 1
        self.reason = reason
        if self._failures != LOST_AFTER:
            return False
        self._lost_s = self._clock.monotonic_s()
        return True

    def ledger_now_ms(self) -> int | None:
        """The ledger's time, or None where it never told. Never ahead of it: counted from when its word arrived."""
        if self._ledger_ms is None:
            return None
        return self._ledger_ms + int((self._clock.monotonic_s() - self._told_s) * 1000)
