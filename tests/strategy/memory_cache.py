"""A CacheStore in memory, which can be made to fail, to hang and to be lost; for tests in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store.cache import CachedValue


@dataclass
class MemoryCache:
    """`age_s`: of everything it holds. `asked`: lookups so far. `takes_s`: how long a command takes."""

    values: dict[str, str] = field(default_factory=dict)
    age_s: float = 5.0
    takes_s: float = 0.0
    is_gone: bool = False
    asked: int = 0

    async def get(self, digest: str) -> CachedValue | None:
        self.asked += 1
        await self._answer()
        body = self.values.get(digest)
        return None if body is None else CachedValue(body, self.age_s)

    async def put(self, digest: str, body: str) -> None:
        await self._answer()
        self.values[digest] = body

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        loop.call_later(self.takes_s, _answer, answered)
        await answered
        if self.is_gone:
            raise LedgerUnavailableError("gone")


def _answer(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)
