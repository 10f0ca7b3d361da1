"""EventPublisher: sends one replica's circuit and ledger events to its sinks, each once."""

from __future__ import annotations

from collections.abc import Iterable

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.events import CircuitChanged, LedgerBack, LedgerLimited, LedgerLost, OverrideChanged, Sink, notify
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.view import View

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


class EventPublisher:
    """Used on one event loop. `replica`: the incarnation named in the events."""

    def __init__(self, replica: str, clock: Clock, sinks: Iterable[Sink]) -> None:
        self._replica = replica
        self._clock = clock
        self._sinks = sinks
        self._locally_tripped: set[str] = set()

    def ledger_lost(self, reason: str, circuit: str = "") -> None:
        """The ledger became unreachable, for one circuit or for all."""
        event = LedgerLost(at_ms=self._clock.unix_ms(), replica=self._replica, reason=reason, circuit=circuit)
        notify(self._sinks, event)

    def ledger_back(self, away_s: float) -> None:
        """The ledger is reachable again."""
        notify(self._sinks, LedgerBack(at_ms=self._clock.unix_ms(), replica=self._replica, away_s=away_s))

    def ledger_limited(self, what: str, reason: str) -> None:
        """Redis denies a permission."""
        event = LedgerLimited(at_ms=self._clock.unix_ms(), replica=self._replica, what=what, reason=reason)
        notify(self._sinks, event)

    def circuit_changed(self, circuit: str, result: Reconciliation) -> None:
        """The fleet's state of a circuit changed."""
        before, after = result.before, result.after
        if before is None or after is None:
            return
        if before.override != after.override:
            notify(self._sinks, _override_changed(circuit, after))
        if before.state is CLOSED and after.state is CLOSED:
            return
        notify(
            self._sinks,
            CircuitChanged(
                at_ms=after.changed_at_ms,
                replica=self._replica,
                circuit=circuit,
                previous_epoch=before.epoch,
                epoch=after.epoch,
                from_state=before.state,
                to_state=after.state,
                reason=after.reason,
                by=after.opened_by if after.state is OPEN else "",
            ),
        )

    def local_trip_changed(self, view: View) -> None:
        """Publishes when this replica begins or ends refusing calls locally while the fleet's circuit is closed."""
        tripped = view.is_tripped_locally()
        if tripped == (view.name in self._locally_tripped):
            return
        self._locally_tripped ^= {view.name}
        local = view.local()
        notify(
            self._sinks,
            CircuitChanged(
                at_ms=self._clock.unix_ms(),
                replica=self._replica,
                circuit=view.name,
                scope="replica",
                previous_epoch=view.fleet.epoch,
                epoch=view.fleet.epoch,
                from_state=CLOSED if tripped else OPEN,
                to_state=local.state if tripped else CLOSED,
                reason=local.reason,
                by=self._replica,
            ),
        )


def _override_changed(circuit: str, after: Snapshot) -> OverrideChanged:
    override = after.override
    return OverrideChanged(
        at_ms=after.changed_at_ms,
        circuit=circuit,
        mode=override.mode if override else None,
        epoch=after.epoch,
        reason=override.reason if override else after.reason,
        by=override.by if override else "",
        until_ms=override.until_ms if override else None,
    )
