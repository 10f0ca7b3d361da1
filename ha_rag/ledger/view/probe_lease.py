"""ProbeLease: one replica's lease requests for one circuit, and the grant it has received.

At most one request is pending. A refusal says when to ask again; replicas add jitter to that time. A grant whose call
has ended meanwhile is kept for the replica's next call, as long as it leaves that call its full time. Then it is given
back, and exchanged for a new one while a call may still want it: for half a lease since a call last wanted a probe, or,
if that was too short for a call before, for twice the time between two calls (docs/decisions/0009). Not locked, except
for `answered`: the view holds the lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ha_rag import chance
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import UNKNOWN
from ha_rag.circuit.terms import Terms

RETRY_S = 1.0
"""When to ask again if the ledger cannot say: the circuit is closed or forced open, or the ledger lost its data."""

MIN_RENEWAL_S = 0.25
"""A new grant is requested only if it would be wanted for longer than this."""

KEPT_INTERVALS = 2.0
"""With sparse calls, a grant is kept for this many times the interval between the last two."""

MAX_KEPT_S = 600.0
"""The longest time for which a grant is kept, and exchanged, without a call."""

SPARE_S = (1.0, 3.0)
"""Bounds of the random time by which a lease for sparse calls is longer than the call needs.

So it is rarely being exchanged when the call comes; random, so that no interval between calls always meets that moment.
"""

PAUSE_S = (0.15, 0.35)
"""Bounds of the random pause before a grant that is kept for sparse calls is exchanged: another replica may take it."""

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


@dataclass(frozen=True, slots=True)
class LeaseWanted:
    """The lease of one request in ms: `lease_ms` for the probe, `spare_ms` to keep it until the call comes."""

    lease_ms: int
    spare_ms: int = 0

    def of(self, terms: Terms) -> Terms:
        """The terms for the ledger, which gets the spare time apart: no replica waits longer because of it."""
        return replace(terms, lease_ms=self.lease_ms)

    @property
    def total_ms(self) -> int:
        """How long the lease lasts if it is not used."""
        return self.lease_ms + self.spare_ms


class ProbeLease:
    """The pending request, the waiting grant, and the earliest time of the next request (`after_s`).

    `answered`: done when there is no pending request; a new one for each request. `is_sparse`: a call has come so late
    that a grant which the call before it wanted had been given back, or was too old. `lease_s`: the duration of a
    lease. `timeout_s`: the call's timeout, None if it has none. `spread_s`: the maximum jitter of requests; grows with
    the fleet. `draw`: a random number in [0, 1). Times in monotonic seconds.
    """

    def __init__(self, lease_s: float, timeout_s: float | None, draw: Callable[[], float] = chance.draw) -> None:
        self.spread_s = 0.0
        self.after_s = -math.inf
        self.is_sparse = False
        self.answered: Future[None] = Future()
        self.answered.set_result(None)
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._wanted_until_s = -math.inf
        self._called_s = -math.inf
        self._paused_until_s = -math.inf
        self._is_unserved = False
        self._is_wasted = False
        """Whether a grant has become useless since the last call."""
        self._draw = draw
        self._grant: Grant | None = None

    def set_lease(self, lease_s: float) -> None:
        """Changes the duration of leases, from the next request on."""
        self._lease_s = lease_s

    def take(self, now_s: float, epoch: int) -> Grant | None:
        """Takes the waiting grant for a call, if it is still usable. An unusable one stays, to be given back."""
        is_usable = self._is_usable(now_s, epoch)
        self._is_wasted |= self._grant is not None and not is_usable
        self._called(now_s, is_unserved=not is_usable)
        return self.drop() if is_usable else None

    def want(self, now_s: float) -> None:
        """A grant is wanted for half a lease from now on."""
        self._wanted_until_s = max(self._wanted_until_s, now_s + self._lease_s / 2)

    def _called(self, now_s: float, *, is_unserved: bool) -> None:
        """A call wanted a probe. Only if calls are sparse does one that got it keep a grant for the next call."""
        interval_s = now_s - self._called_s
        if interval_s > MAX_KEPT_S:
            self.is_sparse = False
        elif self._is_unserved and (self._is_wasted or now_s >= self._wanted_until_s):
            self.is_sparse = True
        self._called_s, self._is_unserved, self._is_wasted = now_s, is_unserved, False
        if is_unserved:
            self.want(now_s)
        if self.is_sparse:
            kept_s = min(KEPT_INTERVALS * interval_s, MAX_KEPT_S)
            self._wanted_until_s = max(self._wanted_until_s, now_s + kept_s)

    def begin(self, now_s: float) -> bool:
        """Whether to send a request now; if so, it counts as pending."""
        if now_s < self.after_s or not self.answered.done():
            return False
        self.answered = Future()
        self.answered.set_running_or_notify_cancel()  # a waiter that is cancelled does not cancel the request
        return True

    def begin_ahead(self, now_s: float) -> bool:
        """Whether to send a request for the next of sparse calls; if so, it counts as pending."""
        if not self.is_sparse or self._grant is not None or now_s < self._paused_until_s:
            return False
        return now_s < self._wanted_until_s - MIN_RENEWAL_S and self.begin(now_s)

    def spare_s(self) -> float:
        """By how much longer than the call needs the next lease should be."""
        return _between(SPARE_S, self._draw()) if self.is_sparse else 0.0

    def answer(
        self, reply: Reply | None, token: str, asked_s: float, now_s: float, lease_s: float, spare_s: float = 0.0
    ) -> Grant | None:
        """Takes the reply to the request (None: there was none). Returns a grant to be given back, if any.

        `lease_s`: how long the probe may last, as requested, without `spare_s`.
        """
        unused: Grant | None = None
        if reply is not None and reply.granted:
            # Counted from when it was requested, so that clocks of two machines are never compared.
            until_s = asked_s + lease_s + spare_s
            use_by_s = until_s - _required_s(self._call_s(lease_s))
            grant = Grant(token, until_s, reply.snapshot.epoch, False, use_by_s)
            unused, self._grant = self._grant, grant
        else:
            wait_ms = 0 if reply is None else reply.wait_ms
            self.after_s = now_s + (RETRY_S if wait_ms == UNKNOWN else wait_ms / 1000) + self.jitter_s()
        if not self.answered.done():
            self.answered.set_result(None)
        return unused

    def jitter_s(self) -> float:
        """Random jitter, so that the replicas of a fleet do not all ask at once."""
        return self._draw() * self.spread_s

    def stale(self, now_s: float, epoch: int) -> Grant | None:
        """Takes the waiting grant to give it back, if it is too old, of another epoch or no longer wanted."""
        if self._is_usable(now_s, epoch) and now_s < self._wanted_until_s:
            return None
        self._is_wasted |= self._grant is not None
        return self.drop()

    def begin_renewal(self, now_s: float, *, is_alone: bool = True) -> bool:
        """Whether to request a new grant in exchange for an old one; if so, the request counts as pending.

        If the replica is not alone, one that keeps a grant for sparse calls lets others have the slot first.
        """
        if self.is_sparse and not is_alone:
            self._paused_until_s = now_s + _between(PAUSE_S, self._draw())
            return False
        return now_s < self._wanted_until_s - MIN_RENEWAL_S and self.begin(math.inf)

    @property
    def is_busy(self) -> bool:
        """Whether a request is pending or a grant waits."""
        return self._grant is not None or not self.answered.done()

    def _call_s(self, lease_s: float) -> float:
        """How long a call may last that has a lease of `lease_s` seconds."""
        if self._timeout_s is not None:
            return self._timeout_s
        return max(lease_s - DEFAULT_TIMEOUT_SLACK_S, lease_s / 2)

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


def _required_s(call_s: float) -> float:
    """Seconds of a lease that a call of `call_s` seconds needs, with the margin after it."""
    return min(call_s / (1 - MARGIN_SHARE), call_s + MARGIN_S)


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * share
