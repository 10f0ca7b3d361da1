"""Ending tasks that speak to Redis: one cancellation is not always enough, and none may be left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

AGAIN_S = 0.02
"""How long a task may tidy up before it is cancelled again."""

TURNS = 3
"""In so many turns of the loop, one after another: a cancellation that is lost leads to where the next is heard."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels until all have ended, and raises nothing of theirs.

    Python 3.11's `asyncio.wait_for`, by which redis-py sends, loses a cancellation that comes as the sending ends. A
    task that asks without a pause is found there again and again: the loop looks at its timers as an answer comes in.
    """
    left = {task for task in tasks if not task.done()}
    turns = 1
    while left:
        for _ in range(turns):
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
        turns = TURNS
    await asyncio.gather(*tasks, return_exceptions=True)


async def gathered(*awaitables: Awaitable[Any]) -> list[Any]:
    """The results in order; if some fail, the first error in order, once all have ended.

    `asyncio.gather` leaves the others running when one fails. Nobody waits for those any more: they may open a
    connection after the ledger was closed.
    """
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
