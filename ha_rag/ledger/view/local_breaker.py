"""LocalBreaker: the circuit's rules applied to one replica's own counts, on its own clock.

It decides circuits of one replica alone, protects a replica that is the only one to see failures, and takes over when
the shared ledger is unreachable. No I/O. Not locked: the view holds the lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ha_rag import chance
from ha_rag.circuit import rules
from ha_rag.circuit.rules import Batch, Decision, Tally
from ha_rag.circuit.snapshot import Snapshot, read, wait_ms
from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.circuit.streak import has_net_failures
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger
from ha_rag.circuit.window import total
from ha_rag.outcomes import Outcome

_SELF = "self"
FAILING_STREAK = 2
"""Net failures of a streak with which a replica votes for opening."""

_SHADOW = OperatorOverride(OverrideMode.SHADOW, "the fleet's circuit is in shadow mode", _SELF)


@dataclass(frozen=True, slots=True)
class LocalGrant:
    """The right to one probe, granted by the local breaker."""

    token: str
    until_ms: int


class LocalBreaker:
    """One circuit, decided by one replica alone. Times are ms of its monotonic clock.

    `probes`: concurrent probes; 1 for a shared circuit, since many replicas may probe at the same time.
    """

    def __init__(self, terms: Terms, *, by: str, probes: int = 1, draw: Callable[[], float] = chance.draw) -> None:
        self.terms = replace(terms, quorum=1, probes=probes)
        self.circuit = Circuit()
        self._by = by
        self._draw = draw
        self._number = 0
        self._is_throttled = False

    def set_terms(self, terms: Terms, probes: int) -> None:
        """Decides by other terms from now on. An open duration and a lease that have begun keep their length."""
        self.terms = replace(terms, quorum=1, probes=probes)

    def observe(self, now_ms: int, tallies: Iterable[Tally]) -> None:
        """Adds outcomes without opening, as in shadow mode, so that `failing` stays up to date."""
        self.circuit = replace(self.circuit, override=_SHADOW)
        self.record(now_ms, tallies)
        self.circuit = replace(self.circuit, override=None)

    def record(self, now_ms: int, tallies: Iterable[Tally], throttled_ms: int = 0) -> Decision:
        """Adds outcomes, and opens the circuit if they call for it."""
        self._number += 1
        batch = Batch(
            _SELF, self._number, tuple(tallies), throttled_ms=throttled_ms, throttled_epoch=self.circuit.epoch
        )
        return self._keep(rules.record(self.circuit, self.terms, now_ms, batch, self._draw()))

    def failing(self, now_ms: int) -> bool:
        """Whether this replica votes for opening: its rates reach a threshold, or failures opened its own circuit.

        That the service asked this replica to pause is no failure; it is a vote of its own kind.
        """
        if self.circuit.state is not CircuitState.CLOSED and not self._is_throttled:
            return True
        counts = self.counts(now_ms)
        return self.terms.reached(counts.failure_rate, counts.slow_rate) or self._has_streak()

    def _has_streak(self) -> bool:
        failed = has_net_failures(self.circuit.streak, FAILING_STREAK, self.terms.failure_threshold)
        return failed or has_net_failures(self.circuit.slow_streak, FAILING_STREAK, self.terms.slow_threshold)

    def lacks_samples(self, now_ms: int) -> bool:
        """Whether the rates reach a threshold and only `min_samples` keeps the circuit closed."""
        if not self.circuit.window:
            return False
        counts = self.counts(now_ms)
        few = 0 < counts.samples < self.terms.min_samples
        return few and self.terms.reached(counts.failure_rate, counts.slow_rate)

    def counts(self, now_ms: int) -> Counts:
        """The counts in the window."""
        return total(self.circuit.window, now_ms, self.terms)

    def lease(self, now_ms: int, lease_ms: int) -> LocalGrant | None:
        """Grants a probe for `lease_ms` if one may be made now."""
        token = os.urandom(16).hex()
        # A replica whose probe failed lets other replicas probe first; here there are no others.
        self.circuit = replace(self.circuit, lost_by="")
        terms = replace(self.terms, lease_ms=lease_ms)
        decision = self._keep(rules.lease(self.circuit, terms, now_ms, _SELF, self.circuit.epoch, token))
        return LocalGrant(token, now_ms + lease_ms) if decision.granted else None

    def settle(self, now_ms: int, token: str, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> Decision:
        """Ends a probe."""
        return self._keep(
            rules.settle(self.circuit, self.terms, now_ms, _SELF, token, outcome, throttled_ms, self._draw(), took_ms)
        )

    def override(self, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> Decision:
        """Sets or ends an operator's override of a circuit of this replica alone."""
        return self._keep(rules.override(self.circuit, now_ms, mode, reason, by, for_ms))

    def is_under(self, override: OperatorOverride, now_ms: int) -> bool:
        """Whether this override, apart from its end, is in force."""
        current = self.circuit.override
        return current is not None and not current.expired(now_ms) and current.is_same_as(override)

    def set_override_end(self, until_ms: int | None) -> None:
        """Sets when the override in force ends."""
        if self.circuit.override is not None:
            self.circuit = replace(self.circuit, override=replace(self.circuit.override, until_ms=until_ms))

    def read(self, now_ms: int) -> Snapshot:
        """The snapshot now."""
        return read(self.circuit, self.terms, now_ms)

    def report(self, now_ms: int) -> Snapshot:
        """The snapshot now, for people: with this replica's name."""
        found = self.read(now_ms)
        voters = tuple(self._by if voter == _SELF else voter for voter in found.voters)
        return replace(found, opened_by=self._by if found.opened_by == _SELF else found.opened_by, voters=voters)

    def wait_ms(self, now_ms: int) -> int:
        """How long until a probe may be made; -1 if unknown."""
        return wait_ms(replace(self.circuit, lost_by=""), self.terms, now_ms, _SELF)

    def reset(self, judges_from_ms: int = 0) -> None:
        """Closes it with an empty window, in a new epoch: the fleet's circuit applies again.

        `judges_from_ms`: before this time it counts outcomes, but does not open.
        """
        epoch, leases = self.circuit.epoch + 1, self.circuit.leases
        self.circuit = Circuit(epoch=epoch, leases=leases, judges_from_ms=judges_from_ms)

    def take_over(self, now_ms: int, open_count: int, reason: str) -> None:
        """Opens it with no time remaining, to probe for the fleet's circuit while the ledger is unreachable."""
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
        self._is_throttled = False

    def _keep(self, decision: Decision) -> Decision:
        self.circuit = decision.circuit
        for event in decision.events:
            if event.after is CircuitState.OPEN:
                self._is_throttled = event.trigger == Trigger.THROTTLED
        return decision
