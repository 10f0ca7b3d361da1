"""A fleet in virtual time: the product's own views and rules, with simulated calls and a ledger without delay.

Each replica is a real `View`: its gate admits the calls, counts outcomes and overdue calls, and trips locally. Its
reports go to `rules.record` on one circuit, as often as the product's sync would send them. Only the timing of the
sync is reimplemented here, none of the rules.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.simulated_calls import Call
from ha_rag.circuit import rules
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch, Decision, Tally
from ha_rag.circuit.snapshot import read
from ha_rag.circuit.state import Circuit, CircuitState, Counts
from ha_rag.circuit.terms import Terms
from ha_rag.clock import ManualClock
from ha_rag.ledger.sync.pace import TokenBucket
from ha_rag.ledger.sync.upkeep import TICK_S
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.refused import Refused
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View
from ha_rag.outcomes import Outcome

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

OURS = CircuitPolicy()
VERSION_0_1_0 = CircuitPolicy(blip_s=10.0, slow_call_s=0)
"""The rules of 0.1.0: no streaks (a blip may last as long as the window), no overdue calls and no slow calls."""

EPOCH_MS = 1_000_000
"""The ledger's clock at the start of a simulation."""


@dataclass(frozen=True)
class Opening:
    """When the fleet's circuit opened, and why."""

    at_s: float
    reason: str


class VirtualFleet:
    """Replicas that share one circuit. `hold`: whether a circuit closed by probes only counts for a moment first.

    `openings`: of the fleet's circuit. `sent`: admitted calls. `local_trips`: number of local trips.
    """

    def __init__(
        self, policy: CircuitPolicy = OURS, *, timeout_s: float = 8.0, replicas: int = 3, hold: bool = True
    ) -> None:
        self.clock = ManualClock(0.0)
        self.circuit = Circuit()
        self.openings: list[Opening] = []
        self.sent: list[Call] = []
        self.local_trips = 0
        self._hold = hold
        draw = random.Random(0).random
        self._replicas = [_Replica(f"r{n}", policy, self.clock, timeout_s, draw) for n in range(replicas)]
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        for n, one in enumerate(self._replicas):
            self._at(n * TICK_S / replicas, partial(self._tick, one))

    @property
    def terms(self) -> Terms:
        """The policy's terms."""
        return self._replicas[0].view.terms

    def run(self, calls: Iterable[Call], *, stop_after_s: float | None = None) -> None:
        """Makes the calls, ordered by start. `stop_after_s`: stops at the first opening after this time."""
        for call in calls:
            self._pass(call.start_s)
            if stop_after_s is not None and self.openings and self.openings[-1].at_s > stop_after_s:
                return
            self._begin(call)

    def recover(self) -> None:
        """Closes an open circuit with successful probes of the first replica, once its open duration has ended."""
        replica, terms, now_ms = "r0", self.terms, self._ledger_ms()
        for n in range(terms.probe_successes):
            token = f"probe {now_ms} {n}"
            self.circuit = rules.lease(self.circuit, terms, now_ms, replica, 0, token).circuit
            decision = rules.settle(self.circuit, terms, now_ms, replica, token, Outcome.OK, took_ms=50)
            self.circuit = decision.circuit
        if not self._hold:
            self.circuit = replace(self.circuit, judges_from_ms=0)
        self._publish()

    def open(self) -> None:
        """Opens the circuit with failures of one replica."""
        now_ms = self._ledger_ms()
        counts = Counts(failed=self.terms.min_samples)
        batch = Batch("r0", 1, (Tally(self.circuit.epoch, now_ms, counts),))
        self._take(rules.record(self.circuit, self.terms, now_ms, batch))

    # ---- timeline ---------------------------------------------------------------------------------------------------

    def _at(self, at_s: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._due, (at_s, next(self._number), action))

    def _pass(self, to_s: float) -> None:
        due = self._due
        while due[0][0] <= to_s:
            self.clock.now_s, _, action = heapq.heappop(due)
            action()
        self.clock.now_s = to_s

    def _begin(self, call: Call) -> None:
        one = self._replicas[call.replica]
        admitted = one.gate.passing or one.gate.admit()
        if isinstance(admitted, Refused):
            return
        self.sent.append(call)
        number = 0 if isinstance(admitted, Grant) else one.gate.begin(call.start_s)
        self._at(call.end_s, partial(self._end, one, call, admitted, number))

    def _end(self, one: _Replica, call: Call, admitted: Epochs | Grant, number: int) -> None:
        if isinstance(admitted, Grant):
            outcome = Outcome.OK if call.ok else Outcome.FAILED
            one.view.settle_locally(admitted, outcome, took_ms=round(1000 * (call.end_s - call.start_s)))
        elif call.ok:
            if one.gate.succeeded(admitted, call.start_s, number) is not Outcome.OK:
                self._report_soon(one)
        elif one.gate.failed(admitted, call.start_s, number):
            self._report_soon(one)

    def _tick(self, one: _Replica) -> None:
        """A replica's upkeep. Each tick is slightly late, like a real timer's."""
        now_s = self.clock.now_s
        self._at(now_s + TICK_S + 0.001, partial(self._tick, one))
        if one.view.tick():
            self._report_soon(one)
        elif one.view.has_report and now_s - one.reported_s >= one.view.policy.flush_interval_s:
            self._report(one)
        self.local_trips += one.has_newly_tripped()

    # ---- the ledger -------------------------------------------------------------------------------------------------

    def _report_soon(self, one: _Replica) -> None:
        if one.burst.take(self.clock.now_s):
            self._report(one)

    def _report(self, one: _Replica) -> None:
        now_ms = self._ledger_ms()
        batch = one.view.batch(now_ms)
        if batch is None:
            return
        one.reported_s = self.clock.now_s
        decision = rules.record(self.circuit, self.terms, now_ms, batch)
        one.view.batch_acknowledged(batch)
        self._take(decision)
        one.view.apply_reply(read(self.circuit, self.terms, now_ms))
        if batch.failing and self.circuit.state is CLOSED:
            one.view.batch_evaluated(batch)

    def _take(self, decision: Decision) -> None:
        self.circuit = decision.circuit
        for event in decision.events:
            if event.after is OPEN:
                self.openings.append(Opening(self.clock.now_s, event.reason))
                open_s = (self.circuit.open_until_ms - self._ledger_ms()) / 1000
                self._at(self.clock.now_s + open_s + 0.001, self.recover)
                self._publish()

    def _publish(self) -> None:
        snapshot = read(self.circuit, self.terms, self._ledger_ms())
        for one in self._replicas:
            one.view.apply_reply(snapshot)

    def _ledger_ms(self) -> int:
        return EPOCH_MS + round(self.clock.now_s * 1000)


class _Replica:
    """One replica's view, and when it last reported."""

    def __init__(
        self, name: str, policy: CircuitPolicy, clock: ManualClock, timeout_s: float, draw: Callable[[], float]
    ) -> None:
        self.view = View("service", policy, replica=name, clock=clock, timeout_s=timeout_s, draw=draw)
        self.view.set_ledger_unreachable(False)
        self.gate = self.view.gate
        self.burst = TokenBucket()
        self.reported_s = 0.0
        self._tripped = False

    def has_newly_tripped(self) -> bool:
        before = self._tripped
        self._tripped = self.gate.passing is None and self.view.is_tripped_locally()
        return self._tripped and not before
