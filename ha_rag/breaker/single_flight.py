"""SingleFlight: concurrent callers share one read, so that any number of them causes at most two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ha_rag.cancellation import end
from ha_rag.errors import LedgerUnavailableError

T = TypeVar("T")

LAST_READS_S = 0.5
"""How long reads may go on when they are ended."""

ENDED = "the fleet is no longer read: the registry or observer was left"


class SingleFlight(Generic[T]):
    """All callers that arrive before a read starts share it; later callers share the next one.

    A caller never gets a read that started before it called, so it sees its own earlier writes. Cancelling one caller
    does not affect the others. Used on one event loop.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None
        self._ended = False

    async def __call__(self) -> T:
        """What was read. Raises what the read raises, and LedgerUnavailableError if the reads were ended."""
        if self._ended:
            raise LedgerUnavailableError(ENDED)
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._after(self._running))
        shared = self._next
        try:
            return await asyncio.shield(shared)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if shared.cancelled() and caller is not None and not caller.cancelling():
                raise LedgerUnavailableError(ENDED) from None
            raise

    async def end(self) -> None:
        """Starts no more reads, and returns once none is left: one whose callers are gone reads on by itself.

        A read that takes longer than `LAST_READS_S` is cancelled.
        """
        self._ended = True
        left = [task for task in (self._running, self._next) if task is not None and not task.done()]
        if left:
            await asyncio.wait(left, timeout=LAST_READS_S)
            await end(*left)

    async def _after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._read()
