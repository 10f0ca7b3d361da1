"""Recorder: counts the outcomes of one circuit's calls and settles its probes.

Permits call it, so they depend on neither the breaker nor the ledger. Safe across tasks and threads.
"""

from __future__ import annotations

from collections.abc import Callable

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.judge import Judge
from ha_rag.breaker.verdict import CANCELLED, TIMEOUT, Verdict
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View
from ha_rag.outcomes import Outcome

OK = Outcome.OK

ABANDONED_SHARE = 0.5
"""A call that its caller gives up after this share of its timeout counts as a timeout."""


class Recorder:
    """Counts one circuit's outcomes.

    `timeout_s`: timeout of the guarded calls, None if they have none. `now`: monotonic seconds.
    `judge`: gives the verdict on what a call raised or returned.
    """

    __slots__ = ("_gate", "_lag", "_link", "_view", "drop", "judge", "now", "timeout_s")

    def __init__(self, view: View, link: FleetLink, judge: Judge) -> None:
        self.now: Callable[[], float] = link.clock.monotonic_s
        self.timeout_s = view.timeout_s
        self._view = view
        self._gate = view.gate
        self.drop: Callable[[int], object] = view.gate.drop
        """Called with the number of a permit that was garbage-collected unsettled, possibly with the lock held."""
        self._link = link
        self._lag = link.lag
        self.judge = judge

    def renewed_in_child(self, view: View) -> Recorder:
        """In a forked child: the recorder of `view`. This one, of calls under way at the fork, reports nothing more."""
        link = self._link
        self._view.leave_to_parent()
        self._link = FleetLink(link.replica, link.clock, ())
        return Recorder(view, link, self.judge)

    @property
    def _is_auto(self) -> bool:
        return self._view.policy.slow_call_s == "auto"

    # ---- verdicts ---------------------------------------------------------------------------------------------------

    def abandoned_verdict(self, since_s: float, *, begun: bool = False, by_person: bool = False) -> Verdict:
        """The verdict on a call that its caller gave up. `begun`: its stream had begun.

        A call that a program's limit cuts after more than the 99th percentile of recent calls was late: 99 of 100 would
        have ended by then. People leave at any time (`by_person`), many of them as soon as a service is slower than
        usual; their calls are late when calls in flight are overdue.
        """
        is_late = not begun and self.now() - since_s > (self.overdue_s if by_person else self.usual_s)
        return TIMEOUT if is_late or self.waited_too_long(since_s) else CANCELLED

    @property
    def usual_s(self) -> float:
        """What 99 of 100 recent calls took at most, in seconds; infinity until known."""
        return self._gate.usual_s

    @property
    def overdue_s(self) -> float:
        """After how many seconds a call in flight is overdue; infinity until known."""
        return self._gate.overdue_s

    def waited_too_long(self, since_s: float) -> bool:
        """Whether a wait since `since_s` has lasted longer than half of the calls' timeout."""
        return self.timeout_s is not None and self.now() - since_s > ABANDONED_SHARE * self.timeout_s

    def probe_limit(self, bound_s: float | None) -> str:
        """Says which limit a probe of `bound_s` seconds has exceeded, and which setting changes it."""
        limit = f"the probe of circuit {self._view.name!r} took longer than {bound_s or 0.0:.3g} s"
        if self.timeout_s is not None:
            return f"{limit}, by its breaker's timeout_s of {self.timeout_s:g}: raise it if the call needs more time"
        if not self._view.probe_time.is_imposed:
            imposed_s = self._view.policy.probe_timeout_s
            return f"{limit}, by its policy's probe_timeout_s of {imposed_s:g}: raise it if the call needs more time"
        return f"{limit}, since its breaker has no timeout_s: set that to the longest time that a call may take"

    def answer_verdict(self, started_s: float) -> Verdict:
        """SLOW if it took longer than `slow_call_s`, else OK."""
        slow = self.now() - started_s > self._gate.slow_s and not (self._is_auto and self._lag.since(started_s))
        return Verdict(Outcome.SLOW if slow else OK)

    # ---- recording --------------------------------------------------------------------------------------------------

    def begun(self, epochs: Epochs, number: int) -> float:
        """A stream's first piece arrived, so the call is not overdue. Returns the time (monotonic)."""
        return self._gate.ended(epochs, number)

    def effective_start_s(self, started_s: float, begun_s: float | None) -> float:
        """The start to measure from if the call ends now: with "auto", a stream is measured up to its first piece."""
        return started_s if begun_s is None or not self._is_auto else self.now() - (begun_s - started_s)

    def succeeded(self, epochs: Epochs, started_s: float, number: int) -> Outcome:
        """Counts a successful call. Returns OK or SLOW."""
        outcome = self._gate.succeeded(epochs, started_s, number)
        if outcome is not OK:
            self._link.report_soon(self._view)
        return outcome

    def record(self, epochs: Epochs, started_s: float, number: int, verdict: Verdict) -> Outcome:
        """Counts a call. Returns the outcome that was counted."""
        verdict = self._unless_stalled(verdict, started_s)
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
            self._link.report_soon(self._view)
        return outcome

    def settle(self, grant: Grant, started_s: float, verdict: Verdict) -> Outcome:
        """Settles a probe. Returns the outcome that was reported."""
        verdict = self._unless_stalled(verdict, started_s)
        requested_ms = round(min(verdict.throttled_s, self._view.policy.throttle_max_s) * 1000)
        took_ms = round(1000 * (self.now() - started_s))
        self._link.settle(self._view, grant, verdict.outcome, requested_ms, took_ms)
        return verdict.outcome

    def _unless_stalled(self, verdict: Verdict, started_s: float) -> Verdict:
        """The verdict, except that a timeout does not count if this process's event loop was blocked meanwhile."""
        return CANCELLED if verdict.outcome is Outcome.TIMEOUT and self._lag.since(started_s) else verdict
