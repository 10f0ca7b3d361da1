"""BackgroundTasks: tasks on one event loop, which can be started from any thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

END_S = 0.5
"""Seconds after which a task that has not ended is cancelled again."""

ENDS = 6
"""How often tasks are cancelled before they are left alone."""


class BackgroundTasks:
    """The event loop of a replica's sync, and the tasks running there. Closed until `open` is called on that loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = False
        self._has_ended = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Accepts work from now on, for the running loop."""
        self._loop, self._open, self._has_ended = asyncio.get_running_loop(), True, False

    def close(self) -> bool:
        """Accepts no more work, except `soon(last=True)` and `run`. Returns whether it was open."""
        was, self._open = self._open, False
        return was

    @property
    def is_open(self) -> bool:
        """Whether work is accepted."""
        return self._open

    @property
    def here(self) -> bool:
        """Whether this is called on the loop itself, while open."""
        return self._open and running_loop() is self._loop

    def soon(self, act: Callable[[], object], *, last: bool = False) -> bool:
        """Calls `act` on the loop; returns whether it was accepted. `last`: even after `close`. From any thread."""
        loop = self._loop
        if loop is None or not (self._open or last):
            return False
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # closed meanwhile
            return False
        return True

    def later(self, delay_s: float, act: Callable[[], object]) -> bool:
        """Calls `act` on the loop after `delay_s`; returns whether it was accepted. Safe from any thread."""
        return self.soon(lambda: asyncio.get_running_loop().call_later(delay_s, act))

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Starts a task; call it on the loop only. Unexpected errors are logged. Cancelled at once after `end`."""
        task = asyncio.ensure_future(work)
        if self._has_ended:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task of the ledger sync failed", exc_info=error)

    async def end(self) -> None:
        """Cancels all tasks until they have ended: a redis client may mistake a cancellation for its own timeout.

        Gives up after `ENDS` times, so that a stop ends in any case.
        """
        self._loop, self._has_ended = None, True
        for _ in range(ENDS):
            if not self._tasks:
                return
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=END_S)
        if self._tasks:
            log.error("%d background tasks of the ledger sync did not end", len(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop running in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
