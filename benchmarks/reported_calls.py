"""The rules alone with the reports of a few replicas: fast enough to simulate hours of false alarms.

The other features of `virtual_fleet.py` (overdue and slow calls, local trips) do not matter if a service only fails a
share of its calls immediately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from benchmarks.peer_rules import OPEN_S
from benchmarks.simulated_calls import Call
from benchmarks.virtual_fleet import EPOCH_MS
from ha_rag.circuit import rules
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Circuit, CircuitState, Counts
from ha_rag.circuit.terms import Terms
from ha_rag.ledger.sync.pace import TokenBucket


class _Reporter:
    """One replica: its unreported counts, and when it last reported."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ok = self.failed = self.number = 0
        self.reported_s = 0.0
        self.burst = TokenBucket()


class ReportedCalls:
    """One circuit and its replicas. `triggers`: `Trigger` -> number of openings."""

    def __init__(self, policy: CircuitPolicy, replicas: int = 3) -> None:
        self._terms = Terms.of(policy, 8.0)
        self._flush_s = policy.flush_interval_s
        self._circuit = Circuit()
        self._open_until_s = 0.0
        self._reporters = [_Reporter(f"r{n}") for n in range(replicas)]
        self.triggers: Counter[str] = Counter()

    def run(self, by_end: Iterable[Call]) -> None:
        """Counts calls, ordered by their end. After each open duration the circuit starts afresh."""
        for call in by_end:
            for one in self._reporters:
                if one.ok and call.end_s - one.reported_s >= self._flush_s:
                    self._report(one, call.end_s)
            if call.start_s >= self._open_until_s:
                self._count(self._reporters[call.replica], call)

    def _count(self, one: _Reporter, call: Call) -> None:
        one.ok += call.ok
        one.failed += not call.ok
        if not call.ok and one.burst.take(call.end_s):
            self._report(one, call.end_s)

    def _report(self, one: _Reporter, now_s: float) -> None:
        now_ms = EPOCH_MS + round(now_s * 1000)
        counts, one.ok, one.failed = Counts(one.ok, one.failed), 0, 0
        one.number, one.reported_s = one.number + 1, now_s
        batch = Batch(one.name, one.number, (Tally(self._circuit.epoch, now_ms, counts),))
        decision = rules.record(self._circuit, self._terms, now_ms, batch)
        self._circuit = decision.circuit
        if self._circuit.state is not CircuitState.CLOSED:
            self.triggers.update(event.trigger for event in decision.events)
            self._open_until_s = now_s + OPEN_S
            self._circuit = Circuit()
            for each in self._reporters:
                each.ok = each.failed = 0
