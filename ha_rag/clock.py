"""Clocks. Only this module reads the system's clocks; other code receives a `Clock`.

Seconds are floats named `*_s`; milliseconds are ints named `*_ms`. Monotonic times are valid in one process only and
are never sent; processes exchange Redis time or remaining milliseconds.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time. Implementations are safe across threads and tasks."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary point; never goes back, even if the wall clock is set."""
        ...

    def unix_ms(self) -> int:
        """Unix milliseconds on this machine's wall clock: for display and logs only, never for decisions."""
        ...


class SystemClock:
    """This machine's clocks."""

    # Bound directly to the C function: guarded calls read the clock, and a Python frame would double its cost.
    monotonic_s = staticmethod(time.monotonic)

    @staticmethod
    def unix_ms() -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves only by `advance`, for tests and simulations. `now_s`: the start of both times."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def unix_ms(self) -> int:
        return round(self.now_s * 1000)

    def advance(self, seconds: float) -> None:
        """Moves the clock forward by `seconds` (>= 0)."""
        if seconds < 0:
            raise ValueError(f"seconds = {seconds}: must be at least 0")
        self.now_s += seconds
