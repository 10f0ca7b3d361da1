"""Probes run apart from the question that set them off: to their own end, whoever has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ha_rag.strategy.guard import Permit

T = TypeVar("T")


class DetachedProbes:
    """The probes under way. Holds them, since asyncio does not. For one event loop."""

    def __init__(self) -> None:
        self.under_way: set[asyncio.Task[Any]] = set()
        self._awaited: set[str] = set()

    def __len__(self) -> int:
        return len(self.under_way)

    def start(self, probe: Coroutine[Any, Any, T], permit: Permit) -> asyncio.Task[T]:
        """Sets a probe going, and keeps it until it has ended; the probe itself settles its permit."""
        task = asyncio.get_running_loop().create_task(probe)
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        # A task cancelled before its first step runs nothing at all. A permit settled already ignores this.
        task.add_done_callback(lambda _: permit.cancelled())
        return task

    def start_later(self, circuit: str, asked: asyncio.Future[None], start: Callable[[], object]) -> None:
        """Calls `start` when the request for a probe is answered, whoever has left; once for each circuit's request."""
        if circuit in self._awaited:
            return

        async def later() -> None:
            try:
                await asyncio.wait({asked})
            finally:
                self._awaited.discard(circuit)
            start()

        self._awaited.add(circuit)
        task = asyncio.get_running_loop().create_task(later())
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def aclose(self, bound_s: float = 1.0) -> None:
        """Waits `bound_s` seconds for probes to end, then cancels those that have not."""
        if not self.under_way:
            return
        await asyncio.wait(tuple(self.under_way), timeout=bound_s)
        late = tuple(self.under_way)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=bound_s)


async def awaited(task: asyncio.Task[T], limit_s: float) -> T | None:
    """What a probe came to, if it ends within `limit_s` seconds and was not cancelled. The probe is left alone."""
    await asyncio.wait({task}, timeout=limit_s)
    return task.result() if task.done() and not task.cancelled() else None
