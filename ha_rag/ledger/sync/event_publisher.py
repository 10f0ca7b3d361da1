"""EventPublisher: sends one replica's circuit and ledger events to its sinks, each once."""

from __future__ import annotations

from collections.abc import Iterable

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, OperatorOverride
from ha_rag.clock import Clock
from ha_rag.events import CircuitChanged, LedgerBack, LedgerLimited, LedgerLost, OverrideChanged, Sink, notify
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.view import View

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

FLEET_APPLIES = "the fleet's state applies again"
"""Why a local trip ended that no local probe has ended."""


class EventPublisher:
    """Used on one event loop. `replica`: the incarnation named in the events."""

    def __init__(self, replica: str, clock: Clock, sinks: Iterable[Sink]) -> None:
        self._replica = replica
        self._clock = clock
        self._sinks = sinks
        self._locally_tripped: dict[str, CircuitState] = {}
        """Circuit that is tripped locally -> the state that its calls met when last seen."""
        self._overrides: dict[str, OperatorOverride] = {}
        """Circuit -> its override as last published."""

    def ledger_lost(self, reason: str, circuit: str = "") -> None:
        """The ledger became unreachable, for one circuit or for all."""
        event = LedgerLost(at_ms=self._clock.unix_ms(), replica=self._replica, reason=reason, circuit=circuit)
        notify(self._sinks, event)

    def ledger_back(self, away_s: float, circuit: str = "") -> None:
        """The ledger is reachable again, for one circuit or for all."""
        event = LedgerBack(at_ms=self._clock.unix_ms(), replica=self._replica, away_s=away_s, circuit=circuit)
        notify(self._sinks, event)

    def ledger_limited(self, what: str, reason: str) -> None:
        """Redis denies a permission."""
        event = LedgerLimited(at_ms=self._clock.unix_ms(), replica=self._replica, what=what, reason=reason)
        notify(self._sinks, event)

    def circuit_changed(self, circuit: str, result: Reconciliation) -> None:
        """The fleet's state of a circuit changed."""
        before, after = result.before, result.after
        if before is None or after is None:
            return
        # Not `before.override`: one whose time is up is gone from later reads of its epoch, before its end is recorded.
        known = self._overrides.pop(circuit, None) or before.override
        if after.override is not None:
            self._overrides[circuit] = after.override
        is_overridden = not _is_same(known, after.override)
        if is_overridden:
            notify(self._sinks, _override_changed(circuit, after))
        if before.state is after.state and (before.state is CLOSED or is_overridden or after.override is not None):
            return
        notify(
            self._sinks,
            CircuitChanged(
                at_ms=after.changed_at_ms,
                replica=self._replica,
                circuit=circuit,
                previous_epoch=before.epoch,
                epoch=after.epoch,
                from_state=_announced(before, after),
                to_state=after.state,
                reason=after.reason,
                by=after.opened_by if after.state is OPEN else "",
            ),
        )

    def local_trip_changed(self, view: View) -> None:
        """Publishes when this replica begins or ends refusing calls that the fleet's circuit would admit.

        `to_state` is the state that applies to its calls from now on: a local trip may also end because the fleet's
        circuit is open, and then nothing has closed. A half-open circuit of the fleet that this replica has only taken
        over, because the ledger is unreachable, is no change.
        """
        tripped, before = view.is_tripped_locally(), self._locally_tripped.pop(view.name, None)
        if not tripped and before is None:
            return
        after = view.state()
        if tripped:
            self._locally_tripped[view.name] = after
        if tripped == (before is not None):
            return
        before = before or (CLOSED if view.fleet.state is CLOSED else HALF_OPEN)
        if before is after or (not tripped and after is OPEN):  # the fleet's own opening is published by itself
            return
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
                from_state=before,
                to_state=after,
                reason=local.reason or FLEET_APPLIES,
                by=self._replica,
            ),
        )


def _announced(before: Snapshot, after: Snapshot) -> CircuitState:
    """The state before a transition. An open circuit whose time is over reads as half-open before the transition."""
    return OPEN if before.state is after.state is HALF_OPEN else before.state


def _is_same(before: OperatorOverride | None, after: OperatorOverride | None) -> bool:
    """Whether it is the same override: its end moves a little when a lost ledger is restored."""
    return before is after or (before is not None and after is not None and before.is_same_as(after))


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
