"""Asking: how one replica asks the ledger for a probe, and what it does with the answer.

One request at a time. A refusal tells when to ask again, and nothing is asked before; replicas that were told the
same spread over a moment. A grant that comes when its asker has gone waits for the replica's next call, and is given
back after half its life. Not locked, but for `answered`: its view holds the lock.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.circuit.snapshot import UNKNOWN
from ha_rag.ledger.ledger import Reply

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
    """The one request under way, the one grant that waits, and before when nothing is asked (`after_s`).

    `lease_s`: how long a lease lasts. `spread_s`: over how many seconds replicas spread what they all want to ask at
    once; grows with the fleet. `draw`: a random number in [0, 1). Times in monotonic seconds.
    """

    def __init__(self, lease_s: float, draw: Callable[[], float] = random.random) -> None:
        self.spread_s = 0.0
        self.after_s = -math.inf
        self.answered = threading.Event()
        self.answered.set()
        self._lease_s = lease_s
        self._draw = draw
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

    def answer(self, reply: Reply | None, token: str, asked_s: float, now_s: float) -> Grant | None:
        """Takes the answer to the request (None: there was none). Answers a grant to be given back, if any."""
        unused: Grant | None = None
        if reply is not None and reply.granted:
            # Counted from before it was asked for: no clock of another machine is compared with this one.
            grant = Grant(token, asked_s + self._lease_s, reply.snapshot.epoch, False, self._lease_s / 2)
            unused, self._grant = self._grant, grant
        else:
            wait_ms = 0 if reply is None else reply.wait_ms
            self.after_s = now_s + (ASK_AGAIN_S if wait_ms == UNKNOWN else wait_ms / 1000) + self.spread()
        self.answered.set()
        return unused

    def spread(self) -> float:
        """A little chance, so that a large fleet does not ask as one."""
        return self._draw() * self.spread_s

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
