"""Probes run in tasks of their own, to their own end, even if the caller that caused them has left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ha_rag.breaker.execution import Ended, execute
from ha_rag.breaker.permit import Permit

T = TypeVar("T")


class DetachedProbes:
    """The probes under way. Keeps a reference to each task, since asyncio does not. For one event loop."""

    def __init__(self) -> None:
        self.under_way: set[asyncio.Task[Any]] = set()
        self._awaited: set[str] = set()

    def __len__(self) -> int:
        return len(self.under_way)

    async def run(self, permit: Permit, work: Callable[[], Awaitable[T]]) -> Ended[T]:
        """Runs a probe within its bound and waits for it; a caller who leaves does not end it."""
        return await asyncio.shield(self.start(execute(permit, work, permit.bound_s), permit))

    def start(self, probe: Coroutine[Any, Any, T], permit: Permit) -> asyncio.Task[T]:
        """Starts a probe that settles its permit itself, and keeps it until it has ended."""
        task = asyncio.get_running_loop().create_task(probe)
        self._keep(task)
        # A task cancelled before its first step runs nothing at all. A settled permit ignores this.
        task.add_done_callback(lambda _: permit.cancelled())
        return task

    def start_later(self, circuit: str, asked: asyncio.Future[None], start: Callable[[], object]) -> None:
        """Calls `start` once the circuit's lease request is answered, even if the caller has left by then."""
        if circuit in self._awaited:
            return

        async def later() -> None:
            try:
                await asyncio.wait({asked})
            finally:
                self._awaited.discard(circuit)
            start()

        self._awaited.add(circuit)
        self._keep(asyncio.get_running_loop().create_task(later()))

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

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self.under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.under_way.discard(task)
        if not task.cancelled():
            task.exception()  # the permit has been told; the caller may have left


async def awaited(task: asyncio.Task[T], limit_s: float) -> T | None:
    """A probe's result if it ends within `limit_s` seconds and was not cancelled. The probe itself goes on."""
    await asyncio.wait({task}, timeout=limit_s)
    return task.result() if task.done() and not task.cancelled() else None
