"""Keeps an index up to date while no questions arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ha_rag.index.index import Index

EVERY_S = 0.5


@asynccontextmanager
async def kept_fresh(index: Index, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Polls `index` for a newer generation every `every_s` seconds while the block lasts.

    Searches poll as well, but do not wait for the new generation to load. Without this task, the first question that a
    quiet replica gets after an ingest would be answered from the old one.
    """
    polling = asyncio.create_task(_poll(index, every_s))
    try:
        yield
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling


async def _poll(index: Index, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        index.poll()
