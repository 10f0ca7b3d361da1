"""Work on the index that blocks, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ha_rag.threads import writing

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in the writing thread, one at a time. Cancelled, it still waits for the end: a thread cannot be
    stopped, and what it writes to must not be closed under it.
    """
    task = asyncio.ensure_future(writing.run(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
