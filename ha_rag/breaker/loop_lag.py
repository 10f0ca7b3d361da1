"""Lag: whether this process's own event loop stood still, so that a late answer is not held against the service."""

from __future__ import annotations

import asyncio
import math

from ha_rag.clock import Clock

TICK_S = 0.05
TOLERATED_S = 0.1
"""A loop that runs its callbacks more than this late makes its own timeouts worthless as evidence."""


class LoopLag:
    """Watches one event loop. `watch` runs on it; `since` may be asked from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_lag_s = -math.inf
        self._due_s = math.inf

    async def watch(self) -> None:
        """Never ends; cancel it."""
        try:
            while True:
                self._due_s = self._clock.monotonic_s() + TICK_S
                await asyncio.sleep(TICK_S)
                self._note(self._clock.monotonic_s())
        finally:
            self._due_s = math.inf

    def _note(self, now_s: float) -> None:
        if now_s - self._due_s > TOLERATED_S:
            self._last_lag_s = now_s

    def since(self, started_s: float) -> bool:
        """Whether the loop stood still at some time since then, including just now."""
        now_s = self._clock.monotonic_s()
        return self._last_lag_s >= started_s or now_s - self._due_s > TOLERATED_S
