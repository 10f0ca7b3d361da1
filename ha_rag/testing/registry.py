"""ManualRegistry: a registry in memory whose time moves only by `advance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.clock import ManualClock
from ha_rag.events import Event, Sink


class ManualRegistry(CircuitRegistry):
    """A `CircuitRegistry` for tests: no Redis, no background tasks, no waiting, no chance.

    `events`: what the circuits have published so far, oldest first. `clock`: its time. `draw`: replaces chance; by
    default always 0, so open durations have no jitter, and ramps and shedding admit every call.
    Entering and leaving it start and stop nothing, so code under test may do either, or neither.
    """

    clock: ManualClock

    def __init__(
        self, *, replica: str = "test", sinks: Iterable[Sink] = (), draw: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.events: list[Event] = []
        super().__init__(None, replica=replica, clock=ManualClock(), sinks=[self.events.append, *sinks], draw=draw)

    def advance(self, seconds: float) -> None:
        """Moves the clock forward by `seconds` (>= 0), and applies to every circuit that this time has passed."""
        self.clock.advance(seconds)
        for view in self._views.all():
            view.tick()
            self._link.publish_rulings(view)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
