"""EventPublisher: tells one replica's listeners what its circuits and its link went through, each thing once."""

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
    """Used on one event loop. `replica`: the incarnation that speaks."""

    def __init__(self, replica: str, clock: Clock, sinks: Iterable[Sink]) -> None:
        self._replica = replica
        self._clock = clock
        self._sinks = sinks
        self._overlaid: set[str] = set()

    def lost(self, reason: str, circuit: str = "") -> None:
        """The ledger is away, for one circuit or for all."""
        event = LedgerLost(at_ms=self._clock.unix_ms(), replica=self._replica, reason=reason, circuit=circuit)
        notify(self._sinks, event)

    def back(self, away_s: float) -> None:
        """The ledger is heard again."""
        notify(self._sinks, LedgerBack(at_ms=self._clock.unix_ms(), replica=self._replica, away_s=away_s))

    def limited(self, what: str, reason: str) -> None:
        """The ledger refuses a part of the work."""
        event = LedgerLimited(at_ms=self._clock.unix_ms(), replica=self._replica, what=what, reason=reason)
        notify(self._sinks, event)

    def heard(self, circuit: str, heard: Reconciliation) -> None:
        """The fleet's belief of a circuit changed."""
        before, after = heard.before, heard.after
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

    def overlay(self, view: View) -> None:
        """A replica that refuses by itself what the fleet lets pass says so, once; and when that has ended."""
        overlaid = view.is_tripped_locally()
        if overlaid == (view.name in self._overlaid):
            return
        self._overlaid ^= {view.name}
        own = view.local()
        notify(
            self._sinks,
            CircuitChanged(
                at_ms=self._clock.unix_ms(),
                replica=self._replica,
                circuit=view.name,
                scope="replica",
                previous_epoch=view.fleet.epoch,
                epoch=view.fleet.epoch,
                from_state=CLOSED if overlaid else OPEN,
                to_state=own.state if overlaid else CLOSED,
                reason=own.reason,
                by=self._replica,
            ),
        )


def _override_changed(circuit: str, after: Snapshot) -> OverrideChanged:
    word = after.override
    return OverrideChanged(
        at_ms=after.changed_at_ms,
        circuit=circuit,
        mode=word.mode if word else None,
        epoch=after.epoch,
        reason=word.reason if word else after.reason,
        by=word.by if word else "",
        until_ms=word.until_ms if word else None,
    )
