"""BackgroundTasks: work done in the background of one event loop, for whoever wants it from any thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

END_S = 0.5
"""After how long a task that has not ended is cancelled again."""


class BackgroundTasks:
    """The loop that a replica's sync runs on, and what is under way there. Closed until it is opened on that loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Takes background from now on, for the loop that runs here."""
        self._loop, self._open = asyncio.get_running_loop(), True

    def close(self) -> bool:
        """Takes none from now on but last words, and on the loop itself. Answers whether it was open."""
        was, self._open = self._open, False
        return was

    @property
    def is_open(self) -> bool:
        """Whether background are taken."""
        return self._open

    @property
    def here(self) -> bool:
        """Whether this is said on the loop itself."""
        return self._open and running_loop() is self._loop

    def soon(self, act: Callable[[], object], *, last: bool = False) -> bool:
        """Does something on the loop; whether there is one. `last`: until all has ended. Safe from any thread."""
        loop = self._loop
        if loop is None or not (self._open or last):
            return False
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # closed meanwhile
            return False
        return True

    def later(self, delay_s: float, act: Callable[[], object]) -> bool:
        """Does something on the loop after so many seconds; whether there is one. Safe from any thread."""
        return self.soon(lambda: asyncio.get_running_loop().call_later(delay_s, act))

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Starts a task; only on the loop. What nobody foresaw is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of the sync with the ledger ended in an error", exc_info=error)

    async def end(self) -> None:
        """Cancels until all have ended: seen with a redis client that took a cancellation for its own time limit."""
        self._loop = None
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=END_S)

    def __len__(self) -> int:
        return len(self._tasks)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
