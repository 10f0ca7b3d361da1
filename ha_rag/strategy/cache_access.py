"""CacheAccess: a cache asked in a bounded time, so that a question never waits for it longer than that.

A cache that is slow, full of nonsense or gone is a miss. It is not asked while the link to Redis is down, and rests
after failures in a row.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ha_rag.cancellation import end
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError
from ha_rag.ledger.store.cache import CachedValue, CacheStore
from ha_rag.ledger.store.validation import ForeignValueError

T = TypeVar("T")

WITHIN_S = 0.02
"""How long a question waits for a cache."""

AT_ONCE = 64
"""Commands under way; further ones are left out."""

FAILURES, REST_S, MAX_REST_S, MAX_DOUBLINGS = 3, 1.0, 10.0, 4
"""After so many failures in a row the cache is left alone, at first for a second, then twice as long each time."""


class CacheAccess:
    """One cache of one replica. Safe across tasks of one event loop.

    `reachable`: whether the link to the store is up. `refused`: told why a value cannot have been written by a replica.
    `max_bytes`: longer values are not kept. `counts`: what became of each lookup and each value, by name.
    """

    def __init__(
        self,
        store: CacheStore,
        *,
        max_bytes: int,
        reachable: Callable[[], bool] = lambda: True,
        refused: Callable[[str], None] = lambda why: None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._reachable = reachable
        self._refused = refused
        self._now_s = (clock or SystemClock()).monotonic_s
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._rests_until_s = 0.0
        self.counts: Counter[str] = Counter()

    async def find(self, digest: str, read: Callable[[CachedValue], T]) -> T | None:
        """What `read` makes of the value of `digest`; None if there is none, or none in time. Never raises.

        `read` raises ForeignValueError for a body that no replica can have written.
        """
        if not self._may_ask():
            self.counts["unavailable"] += 1
            return None
        lookup = self._started(self._store.get(digest))
        # The command goes on after this time: cancelling it would cost its connection.
        await asyncio.wait({lookup}, timeout=WITHIN_S)
        if not lookup.done():
            self._failed()
            self.counts["late"] += 1
            return None
        try:
            value = lookup.result()
            found = None if value is None else read(value)
        except ForeignValueError as error:
            self._refused(str(error))
            self.counts["refused"] += 1
            return None
        except (LedgerError, asyncio.CancelledError):
            self._failed()
            self.counts["unavailable"] += 1
            return None
        self._failures = 0
        self.counts["miss" if found is None else "hit"] += 1
        return found

    def keep(self, digest: str, body: str) -> bool:
        """Keeps a value, in the background. Returns whether that was begun; whatever prevents it is counted."""
        if len(body.encode()) > self._max_bytes:
            self.counts["too_long"] += 1
        elif not self._may_ask():
            self.counts["not_kept"] += 1
        else:
            self._started(self._put(digest, body))
            return True
        return False

    async def aclose(self) -> None:
        """Ends what is under way."""
        await end(*self._tasks)

    async def _put(self, digest: str, body: str) -> None:
        try:
            await self._store.put(digest, body)
        except LedgerError:
            self._failed()
            self.counts["not_kept"] += 1
        else:
            self.counts["kept"] += 1

    def _may_ask(self) -> bool:
        if not self._reachable():
            # Once the link is up again, what happened before it broke says nothing any more.
            self._failures, self._rests_until_s = 0, 0.0
            return False
        return len(self._tasks) < AT_ONCE and self._now_s() >= self._rests_until_s

    def _failed(self) -> None:
        now_s = self._now_s()
        if now_s < self._rests_until_s:
            return  # it was asked before the rest began
        self._failures += 1
        rests = self._failures - FAILURES
        if rests >= 0:
            self._rests_until_s = now_s + min(REST_S * 2 ** min(rests, MAX_DOUBLINGS), MAX_REST_S)

    def _started(self, command: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(command)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: a lookup that was late may fail unheard
