"""InFlight: the calls of one circuit that have not ended, and which of them are overdue.

A service that hangs is noticed by calls that do not end, long before they time out. `begin` and `end` run for every
guarded call, so each is one dict operation. Calls are kept in the order of their start, so a search for overdue ones
stops at the first that is not.
"""

from __future__ import annotations

import itertools
import math
from collections import deque


class InFlight:
    """The calls of one circuit that have not ended, oldest first. Times in monotonic seconds.

    `waiting`: number -> start, of calls not counted as overdue. `dropped`: append the numbers of calls whose end will
    not be reported. Appending and `begin` are safe from any thread; everything else needs the view's lock.
    """

    __slots__ = ("_overdue", "_since_s", "dropped", "next_number", "waiting")

    def __init__(self) -> None:
        self.next_number = itertools.count(1).__next__
        self.waiting: dict[int, float] = {}
        self._overdue: set[int] = set()
        self._since_s = -math.inf
        self.dropped: deque[int] = deque()

    def begin(self, started_s: float) -> int:
        """Adds a call. Returns its number, to be passed to `end`."""
        number = self.next_number()
        self.waiting[number] = started_s
        return number

    def end(self, number: int) -> bool:
        """Removes a call that ended or began to be answered. Returns whether it was counted as overdue."""
        if self.waiting.pop(number, None) is not None:
            return False
        if number not in self._overdue:
            return False
        self._overdue.discard(number)
        return True

    def newly_overdue(self, now_s: float, after_s: float) -> int:
        """Calls that have become overdue (in flight for over `after_s`), minus overdue calls that were dropped."""
        dropped = sum(self.end(self.dropped.popleft()) for _ in range(len(self.dropped)))
        overdue = []
        for number, started_s in list(self.waiting.items()):
            if now_s - started_s <= after_s:
                break
            overdue.append((number, started_s))
        for number, _ in overdue:
            del self.waiting[number]
        counted = [number for number, started_s in overdue if started_s >= self._since_s]
        self._overdue.update(counted)
        return len(counted) - dropped

    def begin_epoch(self, now_s: float) -> None:
        """Starts an epoch: calls that began before it no longer count."""
        self._since_s = now_s
        self._overdue.clear()

    def __len__(self) -> int:
        return len(self.waiting) + len(self._overdue)
