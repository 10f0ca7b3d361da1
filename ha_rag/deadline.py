"""Deadline: what is left of the time that a whole question may take, and how much of it one tier may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ha_rag.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by this process's monotonic clock (`at_s`; infinity: never). Immutable, safe across tasks."""

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
        """Seconds a tier may take: what it wants, but no more than is left beside what later tiers need.

        `wanted_s`: the tier's own timeout. `reserved_s`: seconds kept back for the tiers after it. Never below 0.
        """
        return max(0.0, min(wanted_s, self.left_s() - reserved_s))
