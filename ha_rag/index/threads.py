"""Runs blocking work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from ha_rag.threads import finished, reading, writing

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in the writing thread, one at a time, and, if cancelled, waits for it to finish before raising."""
    return await finished(writing.run(work, *args, **kwargs))


async def in_reading_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in the reading thread, beside the writing one."""
    return await finished(reading.run(work, *args, **kwargs))


async def side_by_side(one: Coroutine[Any, Any, S], other: Coroutine[Any, Any, T]) -> tuple[S, T]:
    """What both return, once both have ended; then raises what one of them raised."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    for ended in (first, second):
        if isinstance(ended, BaseException):
            raise ended
    return cast("tuple[S, T]", (first, second))
