"""The only place that reads a clock. Everything else is handed one.

Seconds are floats named `*_s`; milliseconds are ints named `*_ms`. A monotonic time means something in one process
only, so it never crosses a wire; what crosses a wire is Redis's time, or a number of milliseconds that remain.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells time. Implementations are safe across threads and tasks."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; never goes back, not even when the wall clock is set."""
        ...

    def unix_ms(self) -> int:
        """Milliseconds since 1970 by this machine's wall clock: for display and logs, never for a decision."""
        ...


class SystemClock:
    """This machine's clocks."""

    # Bound straight to the C functions: a guarded call reads the clock, and a Python frame would double its price.
    monotonic_s = staticmethod(time.monotonic)

    @staticmethod
    def unix_ms() -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves only when told to; for tests and simulations. `now_s` starts both of its times."""

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def unix_ms(self) -> int:
        return round(self.now_s * 1000)

    def advance(self, seconds: float) -> None:
        """Moves the clock on by `seconds` (>= 0)."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back (seconds={seconds})")
        self.now_s += seconds
