"""LocalBreaker: the law over one replica's own counts, by its own clock.

It judges circuits that belong to one replica, protects a replica that alone sees its calls fail, and goes on when the
shared ledger is unreachable. Same law, no I/O. Not locked: its view holds the lock.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ha_rag.circuit import rules
from ha_rag.circuit.rules import Batch, Decision, Tally
from ha_rag.circuit.snapshot import Snapshot, read, wait_ms
from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.circuit.streak import has_net_failures
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.window import total
from ha_rag.messages import Outcome

_SELF = "self"
FAILING_STREAK = 2
"""By so many calls failures must outweigh successes for a replica to vote for opening."""

_SHADOW = OperatorOverride(OverrideMode.SHADOW, "the fleet's circuit is in shadow mode", _SELF)


@dataclass(frozen=True, slots=True)
class LocalGrant:
    """The right to one probe, given by the replica to itself."""

    token: str
    until_ms: int


class LocalBreaker:
    """One circuit, judged by one replica alone. Times are ms of its own monotonic clock.

    `probes`: calls that may probe at once; one, where many replicas may each be alone.
    """

    def __init__(self, terms: Terms, *, by: str, probes: int = 1, draw: Callable[[], float] = random.random) -> None:
        self.terms = replace(terms, quorum=1, probes=probes)
        self.circuit = Circuit()
        self._by = by
        self._draw = draw
        self._number = 0

    def observe(self, now_ms: int, tallies: Iterable[Tally]) -> None:
        """Adds outcomes and opens nothing, as in shadow mode: whether this replica is `failing` shows all the same."""
        self.circuit = replace(self.circuit, override=_SHADOW)
        self.record(now_ms, tallies)
        self.circuit = replace(self.circuit, override=None)

    def record(self, now_ms: int, tallies: Iterable[Tally], throttled_ms: int = 0) -> Decision:
        """Adds outcomes and judges."""
        self._number += 1
        batch = Batch(
            _SELF, self._number, tuple(tallies), throttled_ms=throttled_ms, throttled_epoch=self.circuit.epoch
        )
        return self._keep(rules.record(self.circuit, self.terms, now_ms, batch, self._draw()))

    def failing(self, now_ms: int) -> bool:
        """Whether this replica's own rate is at or above a threshold, or has just opened its circuit."""
        if self.circuit.state is not CircuitState.CLOSED:
            return True
        counts = self.counts(now_ms)
        return self.terms.reached(counts.failure_rate, counts.slow_rate) or self._has_streak()

    def _has_streak(self) -> bool:
        failed = has_net_failures(self.circuit.streak, FAILING_STREAK, self.terms.failure_threshold)
        return failed or has_net_failures(self.circuit.slow_streak, FAILING_STREAK, self.terms.slow_threshold)

    def lacks_samples(self, now_ms: int) -> bool:
        """Whether the rates say open, and only the number of samples does not yet."""
        counts = self.counts(now_ms)
        few = 0 < counts.samples < self.terms.min_samples
        return few and self.terms.reached(counts.failure_rate, counts.slow_rate)

    def counts(self, now_ms: int) -> Counts:
        """What the window holds."""
        return total(self.circuit.window, now_ms, self.terms)

    def lease(self, now_ms: int) -> LocalGrant | None:
        """A probe, if one may be made now."""
        token = uuid.uuid4().hex
        # The rule that a loser lets others go first makes no sense for one alone: it rests, and tries again.
        self.circuit = replace(self.circuit, lost_by="")
        decision = self._keep(rules.lease(self.circuit, self.terms, now_ms, _SELF, self.circuit.epoch, token))
        return LocalGrant(token, now_ms + self.terms.lease_ms) if decision.granted else None

    def settle(self, now_ms: int, token: str, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> Decision:
        """A probe's end."""
        return self._keep(
            rules.settle(self.circuit, self.terms, now_ms, _SELF, token, outcome, throttled_ms, self._draw(), took_ms)
        )

    def override(self, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> Decision:
        """An operator's word on a circuit that belongs to this replica."""
        return self._keep(rules.override(self.circuit, now_ms, mode, reason, by, for_ms))

    def read(self, now_ms: int) -> Snapshot:
        """The circuit as it reads now."""
        return read(self.circuit, self.terms, now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """How long until a probe may be asked for; -1 where nobody can know."""
        return wait_ms(replace(self.circuit, lost_by=""), self.terms, now_ms, _SELF)

    def reset(self, judges_from_ms: int = 0) -> None:
        """Back to closed with an empty window, under a new epoch: the fleet's circuit takes its place.

        `judges_from_ms`: until then it counts, and does not open.
        """
        epoch, leases = self.circuit.epoch + 1, self.circuit.leases
        self.circuit = Circuit(epoch=epoch, leases=leases, judges_from_ms=judges_from_ms)

    def take_over(self, now_ms: int, open_count: int, reason: str) -> None:
        """Open with its rest over: what the fleet knew last, when it can no longer be asked for a probe."""
        epoch = max(self.circuit.epoch + 1, now_ms)
        self.circuit = Circuit(
            state=CircuitState.OPEN,
            epoch=epoch,
            changed_at_ms=now_ms,
            opened_at_ms=now_ms,
            open_until_ms=now_ms,
            open_count=open_count,
            reason=reason,
            opened_by=self._by,
            leases=self.circuit.leases,
        )

    def _keep(self, decision: Decision) -> Decision:
        self.circuit = decision.circuit
        return decision
