"""Permit and refusal: the two answers to "may I call?". Values, so that asking costs no exception.

A permit carries the epoch that admitted the call; whoever holds it says once how the call ended. What is said in
another epoch counts for nothing, so neither a late success nor a late failure changes anything after a transition.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ha_rag.breaker.outcome import FAILED, Verdict
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.view.probe_lease import Grant, margin_s
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Outcome

if TYPE_CHECKING:
    from ha_rag.breaker.breaker import CircuitBreaker


class Refusal:
    """No: nothing may be sent now.

    `until_s`: when asking again makes sense (monotonic; infinity: nobody knows). `asked`: done when the ledger has
    answered the request for a probe that is under way, or None.
    """

    __slots__ = ("_now", "asked", "circuit", "state", "until_s")

    permitted = False
    permit = None
    probe = False

    def __init__(
        self,
        circuit: str,
        state: CircuitState,
        until_s: float,
        now: Callable[[], float],
        asked: asyncio.Future[None] | None = None,
    ) -> None:
        self.circuit = circuit
        self.state = state
        self.until_s = until_s
        self.asked = asked
        self._now = now

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until asking again makes sense, None where unknown."""
        return None if self.until_s == math.inf else max(0.0, self.until_s - self._now())

    def error(self) -> CircuitOpenError:
        """The refusal as an exception."""
        return CircuitOpenError(self.circuit, self.retry_after_s, self.state)


class Permit:
    """Yes: one call. Say once how it ended; what is said later is ignored. Safe to settle from another thread.

    `started_s`: when it was given (monotonic). `probe`: whether the circuit closes or opens by this very call; such a
    call should run to its own end, whoever has left. `bound_s`: seconds it may take at most, None where unbounded.
    """

    __slots__ = ("_breaker", "_done", "_epochs", "started_s")

    permitted = True
    probe = False
    state = CircuitState.CLOSED
    retry_after_s: float | None = None
    asked: asyncio.Future[None] | None = None
    bound_s: float | None = None

    def __init__(self, breaker: CircuitBreaker, epochs: Epochs, started_s: float) -> None:
        self._breaker = breaker
        self._epochs = epochs
        self.started_s = started_s
        self._done = False

    @property
    def permit(self) -> Permit:
        """Itself: an admission that permits is the permit."""
        return self

    def ok(self) -> Outcome:
        """The call was answered. Tells whether that took too long."""
        if self._done:
            return Outcome.OK
        self._done = True
        return self._breaker._succeeded(self._epochs, self.started_s)

    def failed(self, error: BaseException | None = None) -> Outcome:
        """The call failed, whatever `error` is; see `raised` to have it judged."""
        return self._end(FAILED)

    def timed_out(self) -> Outcome:
        """The call's full time passed. Counts for nothing where this process itself stood still meanwhile."""
        return self._end(Verdict(Outcome.TIMEOUT))

    def throttled(self, retry_after_s: float) -> Outcome:
        """The service asked for a rest of so many seconds; a rest of no time is a failure."""
        return self._end(Verdict(Outcome.THROTTLED, retry_after_s) if retry_after_s > 0 else FAILED)

    def invalid(self) -> Outcome:
        """The service refused this request for what it says."""
        return self._end(Verdict(Outcome.INVALID))

    def cancelled(self) -> Outcome:
        """Nobody learned anything: a deadline of the caller's own cut the call short, say."""
        return self._end(Verdict(Outcome.CANCELLED))

    def abandoned(self) -> Outcome:
        """The caller left: after more than half of the call's own time that is a timeout, before it nothing."""
        timeout_s = self._breaker.timeout_s
        waited = timeout_s is not None and self._breaker._now() - self.started_s > timeout_s / 2
        return self._end(Verdict(Outcome.TIMEOUT if waited else Outcome.CANCELLED))

    def raised(self, error: BaseException) -> Outcome:
        """The call raised; the breaker's `classify` says what that means."""
        if isinstance(error, asyncio.CancelledError):
            return self.abandoned()
        return self._end(self._breaker._judged(error))

    def _end(self, verdict: Verdict) -> Outcome:
        if self._done:
            return verdict.outcome
        self._done = True
        if verdict.outcome is Outcome.TIMEOUT and self._breaker._lag.since(self.started_s):
            verdict = Verdict(Outcome.CANCELLED)
        self._count(verdict)
        return verdict.outcome

    def _count(self, verdict: Verdict) -> None:
        self._breaker._count(self._epochs, self.started_s, verdict)


class Probe(Permit):
    """A permit that decides: the circuit is half-open, and this call shows whether the service is back.

    `due_s`: seconds after which a probe of which nothing was heard has timed out. That leaves those who end it at its
    bound the time to say so, and the word the time to arrive.
    """

    __slots__ = ("_grant", "bound_s", "due_s", "limit")

    probe = True
    state = CircuitState.HALF_OPEN

    def __init__(self, breaker: CircuitBreaker, grant: Grant, started_s: float) -> None:
        super().__init__(breaker, Epochs(grant.epoch, grant.epoch), started_s)
        self._grant = grant
        left_s = max(0.0, grant.until_s - started_s)
        unused_s = margin_s(left_s)
        self.bound_s: float | None = left_s - unused_s
        self.due_s = left_s - unused_s / 2
        self.limit: asyncio.Timeout | None = None

    def ok(self) -> Outcome:
        slow_s = self._breaker.policy.slow_call_s
        slow = slow_s > 0 and self._breaker._now() - self.started_s > slow_s
        return self._end(Verdict(Outcome.SLOW if slow else Outcome.OK))

    def _count(self, verdict: Verdict) -> None:
        self._breaker._settle(self._grant, verdict)


Admission = Permit | Refusal
"""The answer to "may I call?": look at `permitted`, then use `permit`, or read `retry_after_s`."""
