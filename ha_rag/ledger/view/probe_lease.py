"""ProbeLease: one replica's lease requests for one circuit, and the grant it has received.

At most one request is pending. A refusal says when to ask again; replicas add jitter to that time. A grant whose call
has ended meanwhile is kept for the replica's next call, as long as it leaves that call its full time. Then it is given
back, and exchanged for a new one until half a lease has passed since a call last wanted a probe. Not locked, except for
`answered`: the view holds the lock.
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
"""When to ask again if the ledger cannot say: the circuit is closed or forced open, or the ledger lost its data."""

MIN_RENEWAL_S = 0.25
"""A new grant is requested only if it would be wanted for longer than this."""

MARGIN_SHARE, MARGIN_S = 0.1, 0.5
"""The part of its lease that a probe leaves unused (the lesser of the two), so that its outcome arrives in time."""

DEFAULT_TIMEOUT_SLACK_S = 1.0
"""How much shorter than the lease the timeout of a probe without its own timeout may be; at most half of it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to one probe until `until_s` (monotonic). `local`: granted by the local breaker.

    `use_by_s`: a probe that starts later would not have its full time.
    """

    token: str
    until_s: float
    epoch: int
    local: bool
    use_by_s: float


class ProbeLease:
    """The pending request, the waiting grant, and the earliest time of the next request (`after_s`).

    `lease_s`: the duration of a lease. `timeout_s`: the call's timeout, None if it has none. `spread_s`: the maximum
    jitter of requests; grows with the fleet. `draw`: a random number in [0, 1). Times in monotonic seconds.
    """

    def __init__(self, lease_s: float, timeout_s: float | None, draw: Callable[[], float] = random.random) -> None:
        self.spread_s = 0.0
        self.after_s = -math.inf
        self.answered = threading.Event()
        self.answered.set()
        self._timeout_s = timeout_s
        self._lease_s = self._requested_lease_s = lease_s
        self._required_s = _required_s(_call_s(lease_s, timeout_s))
        self._wanted_until_s = -math.inf
        self._draw = draw
        self._grant: Grant | None = None

    def set_lease(self, lease_s: float) -> None:
        """Changes the duration of leases from the next request on. The pending request may be sent by either."""
        self._lease_s = lease_s
        self._requested_lease_s = min(self._requested_lease_s, lease_s)
        self._required_s = _required_s(_call_s(lease_s, self._timeout_s))

    def take(self, now_s: float, epoch: int) -> Grant | None:
        """Takes the waiting grant for a call, if it is still usable. An unusable one stays, to be given back."""
        if self._is_usable(now_s, epoch):
            return self.drop()
        self.want(now_s)
        return None

    def want(self, now_s: float) -> None:
        """A call wants a probe: a grant is wanted for half a lease from now on."""
        self._wanted_until_s = now_s + self._lease_s / 2

    def begin(self, now_s: float) -> bool:
        """Whether to send a request now; if so, it counts as pending."""
        if now_s < self.after_s or not self.answered.is_set():
            return False
        self.answered.clear()
        self._requested_lease_s = self._lease_s
        return True

    def answer(self, reply: Reply | None, token: str, asked_s: float, now_s: float) -> Grant | None:
        """Takes the reply to the request (None: there was none). Returns a grant to be given back, if any."""
        unused: Grant | None = None
        if reply is not None and reply.granted:
            # Counted from when it was requested, so that clocks of two machines are never compared.
            until_s = asked_s + self._requested_lease_s
            grant = Grant(token, until_s, reply.snapshot.epoch, False, until_s - self._required_s)
            unused, self._grant = self._grant, grant
        else:
            wait_ms = 0 if reply is None else reply.wait_ms
            self.after_s = now_s + (RETRY_S if wait_ms == UNKNOWN else wait_ms / 1000) + self.jitter_s()
        self.answered.set()
        return unused

    def jitter_s(self) -> float:
        """Random jitter, so that the replicas of a fleet do not all ask at once."""
        return self._draw() * self.spread_s

    def stale(self, now_s: float, epoch: int) -> Grant | None:
        """Takes the waiting grant to give it back, if it is too old, of another epoch or no longer wanted."""
        return None if self._is_usable(now_s, epoch) and now_s < self._wanted_until_s else self.drop()

    def begin_renewal(self, now_s: float) -> bool:
        """Whether to request a new grant in exchange for an old one; if so, the request counts as pending."""
        return now_s < self._wanted_until_s - MIN_RENEWAL_S and self.begin(math.inf)

    def _is_usable(self, now_s: float, epoch: int) -> bool:
        grant = self._grant
        return grant is not None and now_s < grant.use_by_s and grant.epoch == epoch

    def drop(self) -> Grant | None:
        """Takes the waiting grant, of any age."""
        grant, self._grant = self._grant, None
        return grant


def margin_s(left_s: float) -> float:
    """The part of the remaining `left_s` seconds of its lease that a probe leaves unused."""
    return min(MARGIN_SHARE * left_s, MARGIN_S)


def _call_s(lease_s: float, timeout_s: float | None) -> float:
    """How long a probe's call may take, in seconds."""
    return max(lease_s - DEFAULT_TIMEOUT_SLACK_S, lease_s / 2) if timeout_s is None else timeout_s


def _required_s(call_s: float) -> float:
    """Seconds of a lease that a call of `call_s` seconds needs, with the margin after it."""
    return min(call_s / (1 - MARGIN_SHARE), call_s + MARGIN_S)
