"""Gate: whether a call may pass one circuit of one replica, and what its end counts as. Memory only; nothing waits.

One lock around parts that take none themselves:

    EffectiveState  what a call meets: the fleet's circuit, the local trip, and which of the two applies
    LoadShedding    which calls pass while a closed circuit admits only a share of them
    CallCounter     what calls ended in, judged locally and collected for the ledger
    ProbeLease      probes that the ledger is asked for

Most calls read one attribute, `passing` or `refusing_until_s`; both are worked out again after every change.
Synchronous code: safe across threads and tasks.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.circuit.latency import FACTOR, RecentLatency
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.ledger.view.call_counter import CallCounter
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.in_flight import InFlight
from ha_rag.ledger.view.load_shedding import LoadShedding
from ha_rag.ledger.view.probe_lease import Grant, ProbeLease
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Outcome

OK = Outcome.OK
ENDED = 0
"""The number of no call: its end was noted already."""

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `retry_after_s`: when to ask again, None if unknown. `ask`: the caller should request a lease now."""

    state: CircuitState
    retry_after_s: float | None
    ask: bool = False


class Gate:
    """One circuit, as calls meet it.

    `passing`: the epochs under which calls pass without further checks; None: `admit` decides each call.
    `refusing_until_s`: every call before this moment (monotonic) is refused without further checks.
    `lock`: guards every part given here; whoever changes one of them holds it and calls `refresh`.
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
        stalled: Callable[[float], bool],
    ) -> None:
        self.lock = threading.Lock()
        self._policy = policy
        self._now = clock.monotonic_s
        self._effective = effective
        self._local_trip = effective.local_trip
        self._shedding = shedding
        self._counter = counter
        self._leases = leases
        self._latency = latency
        self._stalled = stalled
        self._in_flight = InFlight()
        # What every guarded call touches is one lookup away.
        self.begin, self.next_number = self._in_flight.begin, self._in_flight.next_number
        self.drop = self._in_flight.dropped.append
        self.waiting = self._in_flight.waiting
        self._latencies = latency.seconds
        self._is_auto = policy.slow_call_s == "auto"
        self._slow_s = (policy.slow_call_s or math.inf) if not isinstance(policy.slow_call_s, str) else math.inf
        self._tallies = counter.tallies
        self._lacks_samples = False
        self.passing: Epochs | None = counter.epochs
        self.refusing_until_s = -math.inf

    # ---- admission --------------------------------------------------------------------------------------------------

    def admit(self) -> Epochs | Grant | Refused:
        """Decides one call in full. Hands out a waiting grant."""
        with self.lock:
            now = self._now()
            if self._lacks_samples or self._policy.shed:
                self.evaluate(now)
            state, until_s = self._effective.state_for_call(now)
            if state is HALF_OPEN:
                return self._probe(now)
            self.refresh(now)
            if state is OPEN:
                return Refused(OPEN, _after_s(until_s, now))
            return Refused(CLOSED, None) if self._shedding.refuses(now) else self._counter.epochs

    def _probe(self, now: float) -> Grant | Refused:
        effective = self._effective
        if effective.fleet_state(now) is HALF_OPEN:
            return self._leases.take(now, effective.fleet.epoch) or self._request(now)
        grant = self._local_trip.probe(now)
        if grant is not None:
            return grant
        return Refused(HALF_OPEN, _after_s(self._local_trip.until_s(now), now))

    def _request(self, now: float) -> Refused:
        """There is no grant to hand out: one is requested now, or later."""
        ask = self._leases.begin(now)
        return Refused(HALF_OPEN, max(0.0, self._leases.after_s - now), ask=ask)

    def state(self) -> CircuitState:
        """What a call would meet now."""
        with self.lock:
            return self._effective.state_for_call(self._now())[0]

    def wait_for_answer(self, timeout_s: float) -> bool:
        """Blocks the calling thread while a lease request is under way; returns whether none is any more."""
        return self._leases.answered.wait(timeout_s)

    # ---- outcomes ---------------------------------------------------------------------------------------------------

    def succeeded(self, epochs: Epochs, started_s: float, number: int = ENDED) -> Outcome:
        """Counts a call that was answered: OK, or SLOW where it took too long. `number`: what `begin` returned."""
        now = self._now()
        elapsed_s = now - started_s
        if elapsed_s > self._slow_s and not (self._is_auto and self._stalled(started_s)):
            return self._succeeded_slowly(epochs, now, elapsed_s, number)
        # acquire() and release() cost less, but a signal handler that raises between them leaves the lock held.
        with self.lock:
            self._latencies.append(elapsed_s)
            if self.waiting.pop(number, None) is not None:
                cell = self._tallies.cell
                if cell is not None and cell.epochs is epochs and now < cell.end_s:
                    cell.ok += 1
                    return OK
                number = ENDED
        return self._succeeded_first(epochs, now, number)

    def _succeeded_first(self, epochs: Epochs, now: float, number: int) -> Outcome:
        """Counts the first call of an epoch or of a time bucket, or one that was overdue."""
        with self.lock:
            late = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is not None:
                cell.ok += 1
                cell.overdue -= late
            self.count_overdue(now)
        return OK

    def _succeeded_slowly(self, epochs: Epochs, now: float, elapsed_s: float, number: int) -> Outcome:
        with self.lock:
            self._latencies.append(elapsed_s)
            late = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is not None:
                cell.ok += 1
                cell.slow += 1
                cell.overdue -= late
                self.evaluate(now)
        return Outcome.SLOW

    def failed(self, epochs: Epochs, started_s: float, number: int = ENDED) -> bool:
        """Counts a call that failed, and judges. Returns whether it counted and should be reported at once."""
        now = self._now()
        with self.lock:
            late = self._in_flight.end(number)
            cell = self._counter.cell(epochs, now)
            if cell is None:
                return False
            cell.failed += 1
            cell.overdue -= late
            if not self._is_auto:  # by itself a failure is no sign that answers have become slower
                cell.slow += now - started_s > self._slow_s
            self.evaluate(now)
            return True

    def throttled(self, epochs: Epochs, requested_s: float, number: int = ENDED) -> bool:
        """Notes that the service asked not to be called for `requested_s` seconds. Returns whether it counted."""
        self.ended(epochs, number)
        with self.lock:
            now = self._now()
            counted = self._counter.pause_requested(epochs, requested_s, now)
            self.refresh(now)
            return counted

    def ended(self, epochs: Epochs, number: int) -> float:
        """A call ended and counts for nothing, or a stream has begun: it is not overdue any more. Returns when."""
        now = self._now()
        with self.lock:
            if self._in_flight.end(number):
                cell = self._counter.cell(epochs, now)
                if cell is not None:
                    cell.overdue -= 1
        return now

    @property
    def slow_s(self) -> float:
        """After how many seconds a call is slow now; infinity: never."""
        return self._slow_s

    # ---- for whoever holds the lock ---------------------------------------------------------------------------------

    def evaluate(self, now_s: float) -> None:
        """Lets the local breaker judge what was counted since it last looked."""
        self._counter.evaluate(now_s)
        self.refresh(now_s)

    def refresh(self, now_s: float) -> None:
        """Works out again which calls need no further checks."""
        if self._counter.refresh_epochs():
            self._in_flight.begin_epoch(now_s)
        state, until_s = self._effective.state_for_call(now_s)
        self._lacks_samples = self._local_trip.lacks_samples(now_s)
        checks = self._lacks_samples or self._local_trip.awaits_fleet(now_s) or self._shedding.applies(now_s)
        self.passing = self._counter.epochs if state is CLOSED and not checks else None
        self.refusing_until_s = until_s if state is OPEN else -math.inf

    def count_overdue(self, now_s: float) -> bool:
        """Counts calls that have become overdue. Returns whether there are any, which should be reported at once.

        None while this process itself stood still: then no call could have ended.
        """
        latency = self._latency
        latency.refresh(now_s)
        if self._is_auto:
            self._slow_s = latency.slow_after_s
        after_s = latency.overdue_after_s
        if after_s == math.inf or self._stalled(now_s - after_s):
            return False
        policy = self._policy
        self._local_trip.hold_s = min(max(policy.blip_s, 2 * after_s / FACTOR), policy.window_s)
        change = self._in_flight.newly_overdue(now_s, after_s)
        cell = self._counter.cell(self._counter.epochs, now_s) if change else None
        if cell is None:
            return False
        cell.overdue += change
        self.evaluate(now_s)
        return change > 0


def never_stalled(_: float) -> bool:
    """This process has not stood still, as far as is known."""
    return False


def _after_s(until_s: float, now_s: float) -> float | None:
    """Seconds until that moment; None where it is unknown."""
    return None if until_s == math.inf else max(0.0, until_s - now_s)
