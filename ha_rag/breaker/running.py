"""Running a call under its permit: the permit is told how it ended, whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from ha_rag.breaker.permit import Permit


async def run(permit: Permit, fn: Callable[[], Any]) -> Any:
    """Runs one call, within the bound that a probe has, and settles its permit. Raises what `fn` raises.

    A probe is to run in a task of its own, which nobody but this process itself cancels.
    """
    try:
        async with asyncio.timeout(permit.bound_s):
            result: Any = fn()
            if isawaitable(result):
                result = await result
    except BaseException as error:
        permit.cancelled() if permit.probe and is_cancelled() else permit.raised(error)
        raise
    permit.ok()
    return result


def is_cancelled() -> bool:
    """Whether the running task was asked to end, as opposed to something inside it having been cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Detached:
    """Calls that run to their own end in tasks of their own. Used on one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, permit: Permit, fn: Callable[[], Any]) -> Any:
        """Starts the call and waits for it; a waiter who leaves does not end it."""
        task = asyncio.ensure_future(run(permit, fn))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        # A task cancelled before its first step runs nothing at all. A permit settled already ignores this.
        task.add_done_callback(lambda _: permit.cancelled())
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the permit has heard it; the caller may have left
