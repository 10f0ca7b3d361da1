"""Keeps a process's index renewed while nobody asks it anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ha_rag.index.index import Index

EVERY_S = 0.5


@asynccontextmanager
async def kept_renewed(index: Index, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Looks for a newer state every `every_s` seconds, as long as the block lasts.

    Questions make the index look, too, but do not wait for what it finds: without this, the first question after an
    ingest would meet the old state at every replica that was quiet until then.
    """
    looking = asyncio.create_task(_look(index, every_s))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look(index: Index, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        index.look()
