"""Gate: admits calls to one circuit in this replica, and counts their outcomes. In memory only; never blocks.

One lock guards parts that do not lock themselves:

    EffectiveState  the state for calls: the fleet's circuit, the local breaker, and which of the two applies
    LoadShedding    which calls are admitted while a closed circuit admits only a share of them
    CallCounter     outcomes, for the local breaker and for reports to the ledger
    ProbeLease      lease requests and the grants received

Most calls read only one attribute, `passing` or `refusing_until_s`; both are recomputed after every change.
Synchronous code: safe across threads and tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future

from ha_rag.circuit.latency import RecentLatency
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.probe_time import ProbeTime
from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.ledger.view.call_counter import CallCounter
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.in_flight import InFlight
from ha_rag.ledger.view.load_shedding import LoadShedding
from ha_rag.ledger.view.probe_lease import Grant, ProbeLease
from ha_rag.ledger.view.refused import Refused
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.native_threads import new_lock, wait_for
from ha_rag.outcomes import Outcome

OK = Outcome.OK
ENDED = 0
"""The number of a call whose end was recorded already."""

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Gate:
    """Admission to one circuit.

    `passing`: the epochs under which calls are admitted without further checks; None: `admit` decides each call.
    `refusing_until_s`: every call before this moment (monotonic) is refused without further checks.
    `lock`: guards every part given here; code that changes one of them holds it and calls `refresh`.
    """

    def __init__(
        self,
        policy: CircuitPolicy,
        clock: Clock,
        effective: EffectiveState,
        shedding: LoadShedding,
        counter: CallCounter,
        leases: ProbeLease,
        latency: RecentLatency,
        probe_time: ProbeTime,
        stalled: Callable[[float], bool],
    ) -> None:
        self.lock = new_lock()
        self._policy = policy
        self._now = clock.monotonic_s
        self._effective = effective
        self._local_trip = effective.local_trip
        self._shedding = shedding
        self._counter = counter
        self._leases = leases
        self._latency = latency
        self._probe_time = probe_time
        self._stalled = stalled
        self._in_flight = InFlight()
        # Attributes used by every guarded call, bound here to save lookups.
        self.begin, self.next_number = self._in_flight.begin, self._in_flight.next_number
        self.drop = self._in_flight.dropped.append
        self.waiting = self._in_flight.waiting
        self._latencies = latency.seconds
        self._is_auto = policy.slow_call_s == "auto"
        self._slow_s = _fixed_slow_s(policy)
        self._tallies = counter.tallies
        self._lacks_samples = False
        self.asleep = False
        """Whether `admit` has to decide the next call, which wakes the circuit."""
        self.used_s = -math.inf
        """When `admit` last decided a call (monotonic)."""
        self.unused = False
        """Whether the breaker has to look at the next call, because it may be the first one (`check_next`)."""
        self.passing: Epochs | None = counter.epochs
        self.refusing_until_s = -math.inf

    def set_policy(self, policy: CircuitPolicy, now_s: float) -> None:
        """Admits and counts by another policy from now on. The caller holds the lock."""
        self._policy = policy
        self._is_auto = policy.slow_call_s == "auto"
        self._slow_s = self._latency.slow_after_s if self._is_auto else _fixed_slow_s(policy)
        self._shedding.set_policy(policy)
        self._counter.set_policy(policy)
        self.refresh(now_s)

    # ---- admission --------------------------------------------------------------------------------------------------

    def admit(self) -> Epochs | Grant | Refused:
        """Decides one call. Returns a waiting grant if the call is to be a probe."""
        with self.lock:
            now = self.used_s = self._now()
            if self._lacks_samples or self._policy.shed:
                self.evaluate(now)
            state, until_s = self._effective.state_for_call(now)
            if state is HALF_OPEN:
                return self._probe(now)
            self.refresh(now)
            if state is OPEN:
                return Refused.until(OPEN, until_s, now)
            return Refused(CLOSED, None) if self._shedding.refuses(now) else self._counter.epochs

    def _probe(self, now: float) -> Grant | Refused:
        effective = self._effective
        if effective.fleet_state(now) is HALF_OPEN:
            return self._leases.take(now, effective.fleet.epoch) or self._request(now)
        grant = self._local_trip.probe(now, self._probe_time.lease_ms(self._local_trip.breaker.circuit.open_count))
        if grant is not None:
            return grant
        return Refused.until(HALF_OPEN, self._local_trip.until_s(now), now)

    def _request(self, now: float) -> Refused:
        """Refuses for want of a grant, and says whether to request a lease now."""
        ask = self._leases.begin(now)
        return Refused(HALF_OPEN, max(0.0, self._leases.after_s - now), ask=ask)

    def met(self) -> tuple[CircuitState, float]:
        """The state that applies to calls now, and until when (monotonic seconds; infinity: unknown)."""
        with self.lock:
            return self._effective.state_for_call(self._now())

    def wait_for_answer(self, timeout_s: float) -> bool:
        """Blocks the calling thread while a lease request is pending; returns whether it was answered in time."""
        return wait_for(self._leases.answered, timeout_s)

    @property
    def answered(self) -> Future[None]:
        """Done when the pending lease request is answered, or if there is none."""
        return self._leases.answered

    def check_next(self) -> None:
        """Has the breaker look at the next call, as at the first one."""
        with self.lock:
            self.unused, self.passing = True, None

    # ---- outcomes ---------------------------------------------------------------------------------------------------

    def succeeded(self, epochs: Epochs, started_s: float, number: int = ENDED) -> Outcome:
        """Counts a successful call: OK, or SLOW if it took too long. `number`: what `begin` returned."""
        now = self._now()
        elapsed_s = now - started_s
        if elapsed_s > self._slow_s and not (self._is_auto and self._stalled(started_s)):
            return self._succeeded_slowly(epochs, now, elapsed_s, number)
        # acquire() and release() are faster, but a signal handler that raises between them leaves the lock held.
        with self.lock:
            self._latencies.append(elapsed_s)
            if self.waiting.pop(number, None) is not None:
                cell = self._tallies.cell
                if cell is not None and cell.epochs is epochs and now < cell.end_s:
                    cell.ok += 1
                    return OK
                number = ENDED
        return self._succeeded_in_new_cell(epochs, now, number)

    def _succeeded_in_new_cell(self, epochs: Epochs, now: float, number: int) -> Outcome:
        """Counts the first success of an epoch or a time bucket, or one that was overdue."""
        with self.lock:
            was_overdue = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is not None:
                cell.ok += 1
                cell.overdue -= was_overdue
            self.count_overdue(now)
        return OK

    def _succeeded_slowly(self, epochs: Epochs, now: float, elapsed_s: float, number: int) -> Outcome:
        with self.lock:
            self._latencies.append(elapsed_s)
            was_overdue = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is not None:
                cell.ok += 1
                cell.slow += 1
                cell.overdue -= was_overdue
                self.evaluate(now)
        return Outcome.SLOW

    def failed(self, epochs: Epochs, started_s: float, number: int = ENDED) -> bool:
        """Counts a failed call, and evaluates. Returns whether it counted and should be reported at once."""
        now = self._now()
        with self.lock:
            was_overdue = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is None:
                return False
            cell.failed += 1
            cell.overdue -= was_overdue
            if not self._is_auto:  # a failure alone does not show that the service has become slower
                cell.slow += now - started_s > self._slow_s
            self.evaluate(now)
            return True

    def throttled(self, epochs: Epochs, requested_s: float, number: int = ENDED) -> bool:
        """Records that the service asked for a pause of `requested_s` seconds. Returns whether it counted."""
        self.ended(epochs, number)
        with self.lock:
            now = self._now()
            counted = self._counter.pause_requested(epochs, requested_s, now)
            self.refresh(now)
            return counted

    def ended(self, epochs: Epochs, number: int) -> float:
        """A call ended without counting, or its stream began: it can no longer be overdue. Returns the time."""
        now = self._now()
        with self.lock:
            if self._in_flight.end(number):
                cell = self._counter.cell(epochs, now)
                if cell is not None:
                    cell.overdue -= 1
        return now

    @property
    def usual_s(self) -> float:
        """What 99 of 100 recent calls took at most, in seconds; infinity until known."""
        return self._latency.p99_s

    @property
    def overdue_s(self) -> float:
        """After how many seconds a call in flight is overdue; infinity until known."""
        return self._latency.overdue_after_s

    @property
    def slow_s(self) -> float:
        """The current slow-call threshold in seconds; infinity: none."""
        return self._slow_s

    # ---- the caller holds the lock ----------------------------------------------------------------------------------

    def evaluate(self, now_s: float) -> None:
        """Passes new counts to the local breaker, which may trip."""
        self._counter.evaluate(now_s)
        self.refresh(now_s)

    def refresh(self, now_s: float) -> None:
        """Recomputes `passing` and `refusing_until_s`."""
        if self._counter.refresh_epochs():
            self._in_flight.begin_epoch(now_s)
        state, until_s = self._effective.state_for_call(now_s)
        self._lacks_samples = self._local_trip.lacks_samples(now_s)
        must_decide = (
            self.unused
            or self.asleep
            or self._lacks_samples
            or self._local_trip.awaits_fleet(now_s)
            or self._shedding.applies(now_s)
        )
        self.passing = self._counter.epochs if state is CLOSED and not must_decide else None
        self.refusing_until_s = until_s if state is OPEN and not self.asleep else -math.inf

    @property
    def has_calls(self) -> bool:
        """Whether any call is in flight."""
        return len(self._in_flight) > 0

    def count_overdue(self, now_s: float) -> bool:
        """Counts calls that have become overdue. Returns whether there are any, to be reported at once.

        Counts none while this process itself was stalled: then no call could have ended.
        """
        latency = self._latency
        latency.refresh(now_s)
        if self._is_auto:
            self._slow_s = latency.slow_after_s
        after_s = latency.overdue_after_s
        if after_s == math.inf or self._stalled(now_s - after_s):
            return False
        policy = self._policy
        # By the usual latency, not the latest: after a brownout its slow answers are still among the latest ones.
        self._local_trip.hold_s = min(max(policy.blip_s, 2 * latency.reference_s), policy.window_s)
        change = self._in_flight.newly_overdue(now_s, after_s)
        cell = self._counter.cell(self._counter.epochs, now_s) if change else None
        if cell is None:
            return False
        cell.overdue += change
        self.evaluate(now_s)
        return change > 0


def never_stalled(_: float) -> bool:
    """The default for `stalled`."""
    return False


def _fixed_slow_s(policy: CircuitPolicy) -> float:
    """The slow-call threshold that the policy states, in seconds; infinity: none, or not known yet."""
    return math.inf if isinstance(policy.slow_call_s, str) else policy.slow_call_s or math.inf
