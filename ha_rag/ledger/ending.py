"""Ending tasks that speak to Redis: one cancellation is not always enough."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 0.02
"""Of a task that asks Redis without a pause most cancellations are lost (35 of 40 were), so they must come often."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels until all have ended, and raises nothing of theirs.

    Python 3.11's `asyncio.wait_for`, by which redis-py sends, loses a cancellation that comes as the sending ends.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
