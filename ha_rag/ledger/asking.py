"""Asking: how one replica asks the ledger for a probe, and what it does with the answer.

One request at a time. A refusal tells when to ask again, and nothing is asked before. A grant that comes when its
asker has gone waits for the replica's next call, and is given back after half its life. Not locked, but for
`answered`: its view holds the lock.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

ASK_AGAIN_S = 1.0
"""When to ask again where the ledger cannot know: it is closed, forced open, or has forgotten."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to one probe until `until_s` (monotonic). `alone`: given by the replica to itself."""

    token: str
    until_s: float
    epoch: int
    alone: bool
    half_life_s: float


class Asking:
    """The one request under way, the one grant that waits, and when to ask again (monotonic seconds)."""

    def __init__(self) -> None:
        self.after_s = -math.inf
        self.answered = threading.Event()
        self.answered.set()
        self._grant: Grant | None = None

    def take(self, now_s: float, epoch: int) -> Grant | None:
        """The waiting grant, if it is still good. One that is not stays, to be given back."""
        return self.drop() if self._is_good(now_s, epoch) else None

    def begin(self, now_s: float) -> bool:
        """Whether to ask now; if so, the request counts as under way."""
        if now_s < self.after_s or not self.answered.is_set():
            return False
        self.answered.clear()
        return True

    def refused(self, now_s: float, wait_s: float | None, spread_s: float) -> None:
        """No grant: ask again in `wait_s` seconds (None: nobody knows), a little spread among the replicas."""
        self.after_s = now_s + (ASK_AGAIN_S if wait_s is None else wait_s) + spread_s
        self.answered.set()

    def granted(self, grant: Grant) -> Grant | None:
        """Keeps a grant for the next call. Answers an older one that nobody used."""
        unused, self._grant = self._grant, grant
        self.answered.set()
        return unused

    def stale(self, now_s: float, epoch: int) -> Grant | None:
        """The waiting grant, if it has waited for half its life or belongs to another epoch: to be given back."""
        return None if self._is_good(now_s, epoch) else self.drop()

    def _is_good(self, now_s: float, epoch: int) -> bool:
        grant = self._grant
        return grant is not None and now_s < grant.until_s - grant.half_life_s and grant.epoch == epoch

    def drop(self) -> Grant | None:
        """The waiting grant, whatever its age."""
        grant, self._grant = self._grant, None
        return grant
