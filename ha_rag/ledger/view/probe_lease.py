"""ProbeLease: how one replica asks the ledger for a probe, and what it does with the answer.

One request at a time. A refusal tells when to ask again, and nothing is asked before; replicas that were told the
same spread over a moment. A grant that comes when its asker has gone waits for the replica's next call, as long as it
leaves that call its full time; then it is given back, and exchanged for a fresh one until half a lease has passed since
a call wanted it. Not locked, but for `answered`: its view holds the lock.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import UNKNOWN

RETRY_S = 1.0
"""When to ask again where the ledger cannot know: it is closed, forced open, or has forgotten."""

MIN_RENEWAL_S = 0.25
"""A fresh grant that would not be wanted for longer than this is not worth the asking."""

MARGIN_SHARE, MARGIN_S = 0.1, 0.5
"""What a probe leaves unused of its lease, whichever is less, so that its word arrives before the lease has ended."""

DEFAULT_TIMEOUT_SLACK_S = 1.0
"""By how much the time imposed on a call without a timeout may fall short of its lease; by half at most."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to one probe until `until_s` (monotonic). `alone`: given by the replica to itself.

    `use_by_s`: a probe that begins later would not have its full time.
    """

    token: str
    until_s: float
    epoch: int
    local: bool
    use_by_s: float


class ProbeLease:
    """The one request under way, the one grant that waits, and before when nothing is asked (`after_s`).

    `lease_s`: how long a lease lasts. `timeout_s`: the call's own timeout, None where it has none. `spread_s`: over
    how many seconds replicas spread what they all want to ask at once; grows with the fleet. `draw`: a random number
    in [0, 1). Times in monotonic seconds.
    """

    def __init__(self, lease_s: float, timeout_s: float | None, draw: Callable[[], float] = random.random) -> None:
        self.spread_s = 0.0
        self.after_s = -math.inf
        self.answered = threading.Event()
        self.answered.set()
        self._lease_s = lease_s
        self._required_s = _required_s(
            max(lease_s - DEFAULT_TIMEOUT_SLACK_S, lease_s / 2) if timeout_s is None else timeout_s
        )
        self._wanted_until_s = -math.inf
        self._draw = draw
        self._grant: Grant | None = None

    def take(self, now_s: float, epoch: int) -> Grant | None:
        """The waiting grant for a call, if it is still good. One that is not stays, to be given back."""
        if self._is_good(now_s, epoch):
            return self.drop()
        self.want(now_s)
        return None

    def want(self, now_s: float) -> None:
        """Somebody wants a probe that is not at hand: for half a lease from now on the next call may have it."""
        self._wanted_until_s = now_s + self._lease_s / 2

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
            until_s = asked_s + self._lease_s
            grant = Grant(token, until_s, reply.snapshot.epoch, False, until_s - self._required_s)
            unused, self._grant = self._grant, grant
        else:
            wait_ms = 0 if reply is None else reply.wait_ms
            self.after_s = now_s + (RETRY_S if wait_ms == UNKNOWN else wait_ms / 1000) + self.jitter_s()
        self.answered.set()
        return unused

    def jitter_s(self) -> float:
        """A little chance, so that a large fleet does not ask as one."""
        return self._draw() * self.spread_s

    def stale(self, now_s: float, epoch: int) -> Grant | None:
        """The waiting grant, if it is too old for a probe, no longer wanted, or of another epoch: to be given back."""
        return None if self._is_good(now_s, epoch) and now_s < self._wanted_until_s else self.drop()

    def begin_renewal(self, now_s: float) -> bool:
        """Whether to exchange a grant that has grown old for a fresh one; if so, the request counts as under way."""
        return now_s < self._wanted_until_s - MIN_RENEWAL_S and self.begin(math.inf)

    def _is_good(self, now_s: float, epoch: int) -> bool:
        grant = self._grant
        return grant is not None and now_s < grant.use_by_s and grant.epoch == epoch

    def drop(self) -> Grant | None:
        """The waiting grant, whatever its age."""
        grant, self._grant = self._grant, None
        return grant


def margin_s(left_s: float) -> float:
    """What a probe leaves unused of the `left_s` seconds that are left of its lease."""
    return min(MARGIN_SHARE * left_s, MARGIN_S)


def _required_s(call_s: float) -> float:
    """Seconds that must be left of a lease for a call of `call_s` seconds and the margin behind it."""
    return min(call_s / (1 - MARGIN_SHARE), call_s + MARGIN_S)
