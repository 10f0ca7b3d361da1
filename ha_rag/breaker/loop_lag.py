"""LoopLag: whether this process's event loop was blocked, so that a late reply is not counted against the service."""

from __future__ import annotations

import asyncio
import math

from ha_rag.clock import Clock

TICK_S = 0.05
TOLERATED_S = 0.1
"""If callbacks run later than this, timeouts say nothing about the service."""


class LoopLag:
    """Measures the lag of one event loop. `watch` runs on it; `since` may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_lag_s = -math.inf
        self._due_s = math.inf

    def reset(self) -> None:
        """Nothing watches any more: the loop is gone."""
        self._last_lag_s, self._due_s = -math.inf, math.inf

    async def watch(self) -> None:
        """Runs until cancelled."""
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
        """Whether the loop was blocked at any time since `started_s` (monotonic), including now."""
        now_s = self._clock.monotonic_s()
        return self._last_lag_s >= started_s or now_s - self._due_s > TOLERATED_S
