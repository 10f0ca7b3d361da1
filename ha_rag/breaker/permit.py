"""Permit and refusal: the two answers to "may I call?". Values, so that a refusal costs no exception.

A permit carries the epochs that admitted the call; its holder reports once how the call ended. A result from another
epoch counts for nothing, so neither a late success nor a late failure changes anything after a transition.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from ha_rag.breaker.outcome import CANCELLED, FAILED, INVALID, TIMEOUT, Verdict
from ha_rag.breaker.recorder import Recorder
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.view.probe_lease import Grant, margin_s
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Outcome


class Refusal:
    """No: nothing may be sent now.

    `until_s`: when asking again makes sense (monotonic; infinity: unknown). `asked`: done when the ledger has answered
    the request for a probe that is under way; None where there is none.
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
    """Yes: one call. Report once how it ended; later reports are ignored. Safe to settle from another thread.

    `started_s`: when it was given (monotonic). `probe`: whether this call decides if the circuit closes or opens again;
    it should run to its own end even if its caller leaves. `bound_s`: seconds it may take, None where unbounded.
    """

    __slots__ = ("_begun_s", "_done", "_epochs", "_number", "recorder", "started_s")

    permitted = True
    probe = False
    state = CircuitState.CLOSED
    retry_after_s: float | None = None
    asked: asyncio.Future[None] | None = None
    bound_s: float | None = None

    def __init__(self, recorder: Recorder, epochs: Epochs, started_s: float, number: int = 0) -> None:
        self.recorder = recorder
        self._epochs = epochs
        self.started_s = started_s
        self._number = number
        self._begun_s: float | None = None
        self._done = False

    def __del__(self) -> None:
        if self._number and not self._done:
            self.recorder.drop(self._number)

    @property
    def permit(self) -> Permit:
        """Itself: an admission that permits is the permit."""
        return self

    def ok(self) -> Outcome:
        """The call was answered. Returns OK, or SLOW where that took too long."""
        if self._done:
            return Outcome.OK
        self._done = True
        started_s = self.started_s
        if self._begun_s is not None:
            started_s = self.recorder.effective_start_s(started_s, self._begun_s)
        return self.recorder.succeeded(self._epochs, started_s, self._number)

    def begun(self) -> None:
        """A stream has begun: from now on the call is not overdue, and with `slow_call_s = "auto"` not slow."""
        if self._begun_s is None and not self._done:
            self._begun_s = self.recorder.begun(self._epochs, self._number)

    def failed(self, error: BaseException | None = None) -> Outcome:
        """The call failed, whatever `error` is; `raised` has it classified."""
        return self._end(FAILED)

    def timed_out(self) -> Outcome:
        """The call's full time passed. Counts for nothing where this process itself stood still meanwhile."""
        return self._end(TIMEOUT)

    def throttled(self, retry_after_s: float) -> Outcome:
        """The service asked not to be called for so many seconds; 0 or less counts as a failure."""
        return self._end(Verdict(Outcome.THROTTLED, retry_after_s) if retry_after_s > 0 else FAILED)

    def invalid(self) -> Outcome:
        """The service refused this request for its content."""
        return self._end(INVALID)

    def cancelled(self) -> Outcome:
        """The call was given up for reasons that are not the service's: counts for nothing."""
        return self._end(CANCELLED)

    def abandoned(self, since_s: float | None = None) -> Outcome:
        """The caller left: after more than half of the call's timeout that is a timeout, before it nothing.

        `since_s`: since when the caller waited (monotonic); None: since the permit was given.
        """
        return self._end(self.recorder.of_a_caller_that_left(self.started_s if since_s is None else since_s))

    def raised(self, error: BaseException) -> Outcome:
        """The call raised; the breaker's `classify` says what that means."""
        if isinstance(error, asyncio.CancelledError):
            return self.abandoned()
        return self._end(self.recorder.verdict(error))

    def _end(self, verdict: Verdict) -> Outcome:
        if self._done:
            return verdict.outcome
        self._done = True
        return self._recorded(verdict)

    def _recorded(self, verdict: Verdict) -> Outcome:
        return self.recorder.record(self._epochs, self.started_s, self._number, verdict)


class Probe(Permit):
    """A permit that decides: the circuit is half-open, and this call shows whether the service is back.

    `due_s`: seconds after which a probe that reported nothing has timed out. That leaves those who end it at its bound
    the time to report it, and the report the time to arrive.
    """

    __slots__ = ("_grant", "bound_s", "due_s", "limit")

    probe = True
    state = CircuitState.HALF_OPEN

    def __init__(self, recorder: Recorder, grant: Grant, started_s: float) -> None:
        super().__init__(recorder, Epochs(grant.epoch, grant.epoch), started_s)
        self._grant = grant
        left_s = max(0.0, grant.until_s - started_s)
        unused_s = margin_s(left_s)
        self.bound_s: float | None = left_s - unused_s
        self.due_s = left_s - unused_s / 2
        self.limit: asyncio.Timeout | None = None

    def ok(self) -> Outcome:
        return self._end(self.recorder.of_an_answer(self.recorder.effective_start_s(self.started_s, self._begun_s)))

    def abandoned(self, since_s: float | None = None) -> Outcome:
        """A probe has no caller to leave it: only this process cancels it, when it stops. Counts for nothing."""
        return self.cancelled()

    def _recorded(self, verdict: Verdict) -> Outcome:
        return self.recorder.settle(self._grant, self.started_s, verdict)


Admission = Permit | Refusal
"""The answer to "may I call?": look at `permitted`, then use `permit`, or read `retry_after_s`."""
