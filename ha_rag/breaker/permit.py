"""Permit and Refusal: the two kinds of admission. They are values, so that a refusal need not raise an exception.

A permit carries the epochs that admitted the call; its holder reports the outcome once. An outcome from an earlier
epoch is ignored, so neither a late success nor a late failure changes anything after a transition.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import FrameType
from typing import Literal

from ha_rag.breaker.recorder import Recorder
from ha_rag.breaker.verdict import CANCELLED, FAILED, INVALID, TIMEOUT, Verdict, is_pause
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.view.probe_lease import Grant, margin_s
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.outcomes import Outcome

RESOLUTION_S = 0.001
"""A timer may end this much early."""


class Refusal:
    """The call is refused. As an admission: `permitted` is False, `permit` None, `probe` False.

    `circuit`: its name. `state`: what refused the call. `until_s`: when to retry (monotonic; infinity: unknown).
    `asked`: done when the ledger has answered the pending probe lease request; None if there is none. `wait_s`: how
    long a call may wait for that.
    """

    __slots__ = ("_now", "asked", "circuit", "state", "until_s", "wait_s")

    permitted: Literal[False] = False
    permit: None = None
    probe = False

    def __init__(
        self,
        circuit: str,
        state: CircuitState,
        until_s: float,
        now: Callable[[], float],
        asked: asyncio.Future[None] | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self.circuit = circuit
        self.state = state
        self.until_s = until_s
        self.asked = asked
        self.wait_s = wait_s
        self._now = now

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until a retry makes sense, None if unknown."""
        return None if self.until_s == math.inf else max(0.0, self.until_s - self._now())

    @property
    def pause_s(self) -> float:
        """Seconds until a call may request a probe lease, and a clock's resolution more."""
        return self.until_s - self._now() + RESOLUTION_S

    def asks_within(self, seconds: float) -> bool:
        """Whether no probe lease is requested yet, and one may be within that time: replicas spread their requests."""
        return self.state is CircuitState.HALF_OPEN and 0 < self.until_s - self._now() < seconds - RESOLUTION_S

    def error(self) -> CircuitOpenError:
        """The refusal as an exception."""
        return CircuitOpenError(self.circuit, self.retry_after_s, self.state)


class Permit:
    """Permits one call. Report its outcome once; later reports are ignored. Safe to settle from another thread.

    As an admission: `permitted` is True, `permit` the permit itself, `retry_after_s` and `asked` are None, and `state`
    is closed, or half-open for a probe.
    `started_s`: when it was issued (monotonic). `probe`: whether this call decides if the circuit closes or reopens; a
    probe should run to completion even if its caller is cancelled. `bound_s`: time limit in seconds, None if unlimited.
    """

    __slots__ = ("_begun_s", "_done", "_epochs", "_number", "before", "frame", "outer", "recorder", "started_s")

    permitted: Literal[True] = True
    probe = False
    state = CircuitState.CLOSED
    retry_after_s: float | None = None
    asked: asyncio.Future[None] | None = None
    bound_s: float | None = None
    outer: Permit | None
    before: Permit | None

    def __init__(self, recorder: Recorder, epochs: Epochs, started_s: float, number: int = 0) -> None:
        self.recorder = recorder
        self._epochs = epochs
        self.started_s = started_s
        self._number = number
        self._begun_s: float | None = None
        self._done = False
        self.frame: FrameType | None = None
        """The frame that runs the `with` block of this permit, while it is open (`blocks.py`)."""

    def __del__(self) -> None:
        if self._number and not self._done:
            self.recorder.drop(self._number)

    @property
    def permit(self) -> Permit:
        """Itself, so that `admission.permit` works for both kinds of admission."""
        return self

    def ok(self) -> Outcome:
        """The call succeeded. Returns OK, or SLOW if it took too long."""
        if self._done:
            return Outcome.OK
        self._done = True
        started_s = self.started_s
        if self._begun_s is not None:
            started_s = self.recorder.effective_start_s(started_s, self._begun_s)
        return self.recorder.succeeded(self._epochs, started_s, self._number)

    def begun(self) -> None:
        """A stream has begun: the call is no longer overdue, and with `slow_call_s = "auto"` it cannot become slow.

        The same for work inside this process, whose time says nothing about a service.
        """
        if self._begun_s is None and not self._done:
            self._begun_s = self.recorder.begun(self._epochs, self._number)

    def failed(self, error: BaseException | None = None) -> Outcome:
        """The call failed, whatever `error` is; use `raised` to classify the error."""
        return self._end(FAILED)

    def timed_out(self) -> Outcome:
        """The call timed out. Does not count if this process's event loop was blocked meanwhile."""
        return self._end(TIMEOUT)

    def throttled(self, retry_after_s: float) -> Outcome:
        """The service asked for a pause of `retry_after_s` seconds; 0 or less counts as a failure."""
        return self._end(Verdict(Outcome.THROTTLED, retry_after_s) if is_pause(retry_after_s) else FAILED)

    def invalid(self) -> Outcome:
        """The service rejected this request as invalid. Does not count."""
        return self._end(INVALID)

    def cancelled(self) -> Outcome:
        """The call was cancelled for reasons unrelated to the service. Does not count."""
        return self._end(CANCELLED)

    def abandoned(self, since_s: float | None = None, *, by_person: bool = False) -> Outcome:
        """The caller gave up. A timeout if it waited longer than half of the call's timeout, or than 99 of 100 recent
        calls took; else it does not count.

        `since_s`: when it began to wait (monotonic); None: when the permit was issued. `by_person`: it is a person, who
        may leave at any time: instead of the 99 of 100, the call has to be overdue.
        """
        since_s = self.started_s if since_s is None else since_s
        begun = self._begun_s is not None
        return self._end(self.recorder.abandoned_verdict(since_s, begun=begun, by_person=by_person))

    def raised(self, error: BaseException) -> Outcome:
        """The call raised `error`; the breaker's `classify`, `ignore` and `record` map it to an outcome."""
        if isinstance(error, asyncio.CancelledError):
            return self.abandoned()
        return self._end(self.recorder.judge.error(error))

    def returned(self, result: object) -> Outcome:
        """The call returned `result`; `classify_result` maps it to an outcome, or its status if it is a response."""
        verdict = self.recorder.judge.result(result)
        return self.ok() if verdict is None else self._end(verdict)

    def _end(self, verdict: Verdict) -> Outcome:
        if self._done:
            return verdict.outcome
        self._done = True
        return self._recorded(verdict)

    def _recorded(self, verdict: Verdict) -> Outcome:
        return self.recorder.record(self._epochs, self.started_s, self._number, verdict)


class Probe(Permit):
    """The permit of a probe: the circuit is half-open, and this call shows whether the service has recovered.

    `due_s`: seconds after which an unsettled probe has timed out. It is later than `bound_s`, so that a call that is
    stopped at its bound can still be settled, and earlier than the lease's end, so that the report arrives in time.
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
        return self._end(self.recorder.answer_verdict(self.recorder.effective_start_s(self.started_s, self._begun_s)))

    @property
    def limit_reason(self) -> str:
        """Why the probe was stopped at its bound."""
        return self.recorder.probe_limit(self.bound_s)

    def abandoned(self, since_s: float | None = None, *, by_person: bool = False) -> Outcome:
        """A probe in a task of its own is cancelled only when this process stops. Does not count."""
        return self.cancelled()

    def raised(self, error: BaseException) -> Outcome:
        if isinstance(error, asyncio.CancelledError):  # in the caller's own block
            return super().abandoned()
        return super().raised(error)

    def _recorded(self, verdict: Verdict) -> Outcome:
        return self.recorder.settle(self._grant, self.started_s, verdict)


Admission = Permit | Refusal
"""Check `permitted`, then use `permit` or read `retry_after_s`."""
