"""Probes run to completion in their own tasks, even if the caller that started them is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ha_rag.breaker.execution import CallResult, execute
from ha_rag.breaker.permit import Permit, Probe

T = TypeVar("T")


class DetachedProbes:
    """The running probes. Keeps a reference to each task, because asyncio does not. For one event loop."""

    def __init__(self) -> None:
        self.under_way: set[asyncio.Task[Any]] = set()
        self._requested: set[str] = set()

    def __len__(self) -> int:
        return len(self.under_way)

    async def run(self, permit: Permit, work: Callable[[], Awaitable[T]]) -> CallResult[T]:
        """Runs a probe within its bound and waits for it. Cancelling the caller does not cancel the probe."""
        why = permit.limit_reason if isinstance(permit, Probe) else ""
        return await asyncio.shield(self.start(execute(permit, work, permit.bound_s, limit_reason=why), permit))

    def start(self, probe: Coroutine[Any, Any, T], permit: Permit) -> asyncio.Task[T]:
        """Starts a probe that settles its own permit."""
        task = asyncio.get_running_loop().create_task(probe)
        self._keep(task)
        # A task cancelled before its first step never runs. A settled permit ignores this.
        task.add_done_callback(lambda _: permit.cancelled())
        return task

    def start_later(self, circuit: str, asked: asyncio.Future[None], start: Callable[[], object]) -> None:
        """Calls `start` once the circuit's lease request is answered, even if the caller is gone by then."""
        if circuit in self._requested:
            return

        async def later() -> None:
            try:
                await asyncio.wait({asked})
            finally:
                self._requested.discard(circuit)
            start()

        self._requested.add(circuit)
        self._keep(asyncio.get_running_loop().create_task(later()))

    async def aclose(self, bound_s: float = 1.0) -> None:
        """Waits up to `bound_s` seconds for running probes, then cancels them."""
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
            task.exception()  # marks the error as retrieved: the permit is settled, and the caller may be gone


async def result_within(task: asyncio.Task[T], limit_s: float) -> T | None:
    """The probe's result; None if it takes longer than `limit_s` seconds or is cancelled. Does not stop the probe."""
    await asyncio.wait({task}, timeout=limit_s)
    return task.result() if task.done() and not task.cancelled() else None
