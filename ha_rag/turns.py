"""Turns: work on the event loop that may be long, done so that nothing else waits for it.

What a store holds may have been written by anyone, so its number is bounded but not small: ten thousand names, each of
which takes a few hundredths of a millisecond. Threads would do as well, but the programs that embed a circuit breaker
may have none that are real (gevent), or may fork.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

TURN_S = 0.005
"""How long a turn lasts: as long as a thread of Python keeps others waiting."""

T = TypeVar("T")


class Turns:
    """Used on one event loop. A turn begins when it is made, and at the end of each wait."""

    def __init__(self) -> None:
        self._now_s = asyncio.get_running_loop().time
        self._ends_s = self._now_s() + TURN_S

    async def next(self) -> None:
        """Lets other tasks run once, if this turn has lasted long enough."""
        if self._now_s() >= self._ends_s:
            await asyncio.sleep(0)
            self._ends_s = self._now_s() + TURN_S


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items; other tasks run between two of them whenever `TURN_S` have passed."""
    turns = Turns()
    for item in items:
        await turns.next()
        yield item
