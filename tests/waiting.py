"""Polling, for conditions that only another process can change; all other tests wait for events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil

POLL_S = 0.01
PATIENCE_S = 60.0
"""For what is sure to come: it only bounds how long a broken program hangs.

On a busy machine a process may take ten seconds to start, and stand still for seconds; how fast the product is, is
measured in benchmarks/. Shorter than the limit of a whole test, so that the line that waited is named.
"""


async def until(condition: Callable[[], bool], *, within_s: float = PATIENCE_S, every_s: float = POLL_S) -> None:
    """Returns once `condition` holds, which is asked every `every_s`. Raises TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(every_s)


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more. One that its parent has not reaped yet has ended, although its process id still exists.

    The parent of an orphan is the system's first process, which may take its time.
    """
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
