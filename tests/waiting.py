"""Polling, for conditions that only another process can change; all other tests wait for events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

POLL_S = 0.01


async def until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Returns once `condition` holds. Raises TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(POLL_S)
