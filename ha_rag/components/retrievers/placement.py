"""Placement: whether the next search runs on the event loop or in a thread, by how long the latest ones took."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from ha_rag.threads import computing

T = TypeVar("T")

LONGEST_ON_LOOP_S = 0.001
"""Of computing. A thread costs a tenth of that in handing over; a longer search would hold up every other question."""
REMEMBERED = 16
UNUSUAL = 8
"""Of so many searches, the longest one does not count: the garbage collector or a page fault may have been in it."""


class Placement:
    """Runs the searches of one retriever: on the event loop while they are short, else in a computing thread.

    A search is expected to take as long as the longest of the last `REMEMBERED`, but for the few that stand out; the
    first in a new state of the index is not known to be short, so it runs in a thread. What counts is time spent
    computing (`clock`, seconds, of the thread that asks it), which other programs on the machine do not change. For the
    tasks of one event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._corpus: str | None = None
        self._took_s: deque[float] = deque(maxlen=REMEMBERED)

    async def run(self, corpus: str, search: Callable[[], T]) -> T:
        """What `search` returns or raises. `corpus`: the state of the index that it searches."""
        if self._is_short(corpus):
            found, took_s = self._timed(search)
        else:
            found, took_s = await computing.run(self._timed, search)
        self._remember(corpus, took_s)
        return found

    def _is_short(self, corpus: str) -> bool:
        return corpus == self._corpus and self._expected_s() <= LONGEST_ON_LOOP_S

    def _expected_s(self) -> float:
        return sorted(self._took_s)[-1 - len(self._took_s) // UNUSUAL]

    def _timed(self, search: Callable[[], T]) -> tuple[T, float]:
        began_s = self._clock()
        found = search()
        return found, self._clock() - began_s

    def _remember(self, corpus: str, took_s: float) -> None:
        if corpus != self._corpus:
            self._corpus = corpus
            self._took_s.clear()
        self._took_s.append(took_s)
