"""Deadline: the time limit of a question, and how much of it one tier may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ha_rag.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time (`at_s`: monotonic; infinity: never). Immutable, safe across tasks."""

    at_s: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float | None, clock: Clock | None = None) -> Deadline:
        """The deadline `seconds` from now (None: no deadline)."""
        clock = clock or SystemClock()
        return cls(math.inf if seconds is None else clock.monotonic_s() + seconds, clock)

    def left_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at_s - self.clock.monotonic_s())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left_s() == 0.0

    def share_s(self, wanted_s: float, reserved_s: float = 0.0) -> float:
        """Seconds that a tier may take: its timeout, limited to the time left minus the reserve. Never below 0.

        `wanted_s`: the tier's timeout. `reserved_s`: seconds reserved for the tiers after it.
        """
        return max(0.0, min(wanted_s, self.left_s() - reserved_s))
