"""Calls in flight: which calls of one circuit have not ended, and which of them are overdue.

A hanging service shows in calls that do not end long before it shows in calls that time out. `begin` and `end` are on
the path of every guarded call, so each is one operation on a dict; calls are kept in the order in which they began, and
a look for overdue ones stops at the first that is not.
"""

from __future__ import annotations

import itertools
import math
from collections import deque


class InFlight:
    """The calls of one circuit that have not ended, oldest first. Times in monotonic seconds.

    `waiting`: number -> when it began, of calls that were not counted as overdue. `dropped`: append the numbers of
    calls whose end nobody will report. That and `begin` are safe from any thread; all else runs under the view's lock.
    """

    __slots__ = ("_overdue", "_since_s", "dropped", "next_number", "waiting")

    def __init__(self) -> None:
        self.next_number = itertools.count(1).__next__
        self.waiting: dict[int, float] = {}
        self._overdue: set[int] = set()
        self._since_s = -math.inf
        self.dropped: deque[int] = deque()

    def begin(self, started_s: float) -> int:
        """A call was sent. Returns the number by which its end is reported."""
        number = self.next_number()
        self.waiting[number] = started_s
        return number

    def end(self, number: int) -> bool:
        """The call has ended, or begun to be answered. Returns whether it had been counted as overdue."""
        if self.waiting.pop(number, None) is not None:
            return False
        if number not in self._overdue:
            return False
        self._overdue.discard(number)
        return True

    def newly_overdue(self, now_s: float, after_s: float) -> int:
        """How many calls have become overdue, in flight for longer than `after_s`, less those that were dropped."""
        gone = sum(self.end(self.dropped.popleft()) for _ in range(len(self.dropped)))
        late = []
        for number, started_s in list(self.waiting.items()):
            if now_s - started_s <= after_s:
                break
            late.append((number, started_s))
        for number, _ in late:
            del self.waiting[number]
        counted = [number for number, started_s in late if started_s >= self._since_s]
        self._overdue.update(counted)
        return len(counted) - gone

    def begin_epoch(self, now_s: float) -> None:
        """A transition: calls that began before it count for nothing after it."""
        self._since_s = now_s
        self._overdue.clear()

    def __len__(self) -> int:
        return len(self.waiting) + len(self._overdue)
