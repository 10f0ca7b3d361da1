"""Recorder: takes how the calls of one circuit ended, counts them and settles its probes.

Permits call it, so they know neither the breaker nor what stands behind it. Safe across tasks and threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.outcome import CANCELLED, FAILED, TIMEOUT, Classify, Verdict
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View
from ha_rag.messages import Outcome

log = logging.getLogger(__name__)

OK = Outcome.OK

PATIENCE = 0.5
"""A caller that leaves after this share of the call's timeout has waited long enough for it to count as one."""


class Recorder:
    """Counts one circuit's outcomes.

    `timeout_s`: the guarded calls' own timeout, None where they have none. `now`: monotonic seconds.
    `classify`: what an exception says of the service.
    """

    __slots__ = ("_classify", "_gate", "_is_auto", "_lag", "_link", "_view", "drop", "now", "timeout_s")

    def __init__(self, view: View, link: FleetLink, classify: Classify) -> None:
        self.now: Callable[[], float] = link.clock.monotonic_s
        self.timeout_s = view.timeout_s
        self._view = view
        self._gate = view.gate
        self.drop: Callable[[int], object] = view.gate.drop
        """Hears of the number of a permit that was thrown away unsettled. Takes no lock: it may be called in one."""
        self._link = link
        self._lag = link.lag
        self._is_auto = view.policy.slow_call_s == "auto"
        self._classify = classify

    # ---- judging ----------------------------------------------------------------------------------------------------

    def verdict(self, error: BaseException) -> Verdict:
        """What `classify` makes of an error. If it fails itself, the call counts as failed: nothing hides the error."""
        try:
            return self._classify(error)
        except Exception:
            log.exception("classify failed on %r; it counts as a failure of %s", error, self._view.name)
            return FAILED

    def of_a_caller_that_left(self, since_s: float) -> Verdict:
        """TIMEOUT for a patient one, else CANCELLED."""
        return TIMEOUT if self.is_patient(since_s) else CANCELLED

    def is_patient(self, since_s: float) -> bool:
        """Whether waiting since `since_s` has taken more than half of the calls' timeout."""
        return self.timeout_s is not None and self.now() - since_s > PATIENCE * self.timeout_s

    def of_an_answer(self, started_s: float) -> Verdict:
        """SLOW if it took longer than `slow_call_s`, else OK."""
        slow = self.now() - started_s > self._gate.slow_s and not (self._is_auto and self._lag.since(started_s))
        return Verdict(Outcome.SLOW if slow else OK)

    # ---- recording --------------------------------------------------------------------------------------------------

    def begun(self, epochs: Epochs, number: int) -> float:
        """A stream's first piece has come: it is not overdue. Returns when that was."""
        return self._gate.ended(epochs, number)

    def effective_start_s(self, started_s: float, begun_s: float | None) -> float:
        """From when on a call's latency is measured, if it ends now: a stream's by its first piece, with "auto"."""
        return started_s if begun_s is None or not self._is_auto else self.now() - (begun_s - started_s)

    def succeeded(self, epochs: Epochs, started_s: float, number: int) -> Outcome:
        """Counts a call that was answered: OK or SLOW."""
        outcome = self._gate.succeeded(epochs, started_s, number)
        if outcome is not OK:
            self._link.learned(self._view)
        return outcome

    def record(self, epochs: Epochs, started_s: float, number: int, verdict: Verdict) -> Outcome:
        """Counts a call as `verdict` says. Returns the outcome that it counts as."""
        verdict = self._excused(verdict, started_s)
        outcome = verdict.outcome
        if outcome in (OK, Outcome.SLOW):
            return self.succeeded(epochs, started_s, number)
        if outcome in (Outcome.FAILED, Outcome.TIMEOUT):
            counted = self._gate.failed(epochs, started_s, number)
        elif outcome is Outcome.THROTTLED:
            counted = self._gate.throttled(epochs, verdict.throttled_s, number)
        else:
            self._gate.ended(epochs, number)
            counted = False
        if counted:
            self._link.learned(self._view)
        return outcome

    def settle(self, grant: Grant, started_s: float, verdict: Verdict) -> Outcome:
        """Ends a probe as `verdict` says. Returns the outcome that it counts as."""
        verdict = self._excused(verdict, started_s)
        requested_ms = round(min(verdict.throttled_s, self._view.policy.throttle_max_s) * 1000)
        took_ms = round(1000 * (self.now() - started_s))
        self._link.settle(self._view, grant, verdict.outcome, requested_ms, took_ms)
        return verdict.outcome

    def _excused(self, verdict: Verdict, started_s: float) -> Verdict:
        """No timeout counts during which this process itself stood still."""
        return CANCELLED if verdict.outcome is Outcome.TIMEOUT and self._lag.since(started_s) else verdict
