"""Runs blocking work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ha_rag.threads import writing

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in the writing thread, one at a time, and, if cancelled, waits for it to finish before raising.

    A thread cannot be interrupted, so leaving early would close files that it still writes to.
    """
    task = asyncio.ensure_future(writing.run(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
