"""FleetReader: one replica's view of the whole fleet: every circuit, every replica, and policy or name conflicts.

While the ledger is unreachable it returns what this replica knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.heartbeat import DriftDetector
from ha_rag.breaker.report import (
    CircuitReport,
    FleetReport,
    Here,
    ReplicaReport,
    circuit_report,
    here,
    replica_report,
    view_report,
)
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.terms import Terms
from ha_rag.errors import LedgerError, LedgerUnavailableError
from ha_rag.events import notify
from ha_rag.ledger.sync.denied_permissions import CIRCUIT_LIST, OTHER_REPLICAS

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Heartbeat
    from ha_rag.ledger.sync import Sync

DRIFT_POLL_S = 5.0
"""How often a replica reads the heartbeats of the others, in a fleet of up to fifty."""


class FleetReader:
    """Reads the fleet. `body`: makes this replica's heartbeat body, as JSON text. Used on the sync's event loop."""

    def __init__(self, link: FleetLink, incarnation: str, body: Callable[[], str]) -> None:
        self._link = link
        self._clock = link.clock
        self._views = link.views
        self._incarnation = incarnation
        self._body = body
        # Separate reads would each take one of the few connections that reports and probes need.
        self._shared = SingleFlight(self._read_shared)

    # ---- circuits ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process, from its cached state. A memory read; safe from any thread."""
        now_s, unix_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        return tuple(view_report(view, now_s, unix_ms) for view in sorted(self._views.all(), key=lambda v: v.name))

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """Every circuit of the fleet; this replica's cached state while the ledger is unreachable.

        Concurrent callers share one read, which starts after they called.
        """
        shared = await self._shared() if self._link.sync is not None else {}
        own = {report.name: report for report in self.snapshot()}
        return tuple(report for _, report in sorted({**own, **shared}.items()))

    async def _read_shared(self) -> dict[str, CircuitReport]:
        """Name -> the circuit in the ledger; empty while the ledger is unreachable."""
        sync = self._link.sync
        if sync is None:
            return {}
        try:
            with sync.denied_permissions.checked(CIRCUIT_LIST):
                known = await sync.ledger.known_circuits()
            names = {*known, *(view.name for view in self._views.shared())}
            replies = await sync.read({name: self._terms(name) for name in names})
        except LedgerError:
            return {}
        return {
            name: circuit_report(name, "fleet", reply.snapshot, here=self._here(name))
            for name, reply in replies.items()
        }

    def _terms(self, name: str) -> Terms:
        view = self._views.get(name)
        return view.terms if view is not None else Terms.of(CircuitPolicy())

    def _here(self, name: str) -> Here | None:
        view = self._views.get(name)
        return here(view) if view is not None else None

    # ---- replicas ---------------------------------------------------------------------------------------------------

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; only this one while the ledger is unreachable."""
        link, sync = self._link, self._link.sync
        if sync is None:
            return FleetReport((self._own_report(),), "local", "no Redis is configured")
        try:
            beats, now_ms = await asyncio.gather(_beats(sync), sync.ledger.now_ms())
        except LedgerError as error:
            unreachable = isinstance(error, LedgerUnavailableError)
            return FleetReport((self._own_report(),), "local" if unreachable else link.shared_state, str(error))
        reports = {beat.incarnation: replica_report(beat) for beat in beats}
        if self._incarnation not in reports:  # none sent yet, or Redis refuses its heartbeats
            reports[self._incarnation] = self._own_report(max((beat.at_ms for beat in beats), default=None))
        ordered = tuple(report for _, report in sorted(reports.items()))
        return FleetReport(ordered, link.shared_state, "" if sync.link.up else sync.link.reason, now_ms)

    def _own_report(self, at_ms: int | None = None) -> ReplicaReport:
        from ha_rag.ledger.store.ledger import Heartbeat

        return replica_report(Heartbeat(self._incarnation, at_ms or self._clock.unix_ms(), self._body()))

    async def watch_for_drift(self, sync: Sync) -> None:
        """Polls all heartbeats, less often in a large fleet, and announces name and policy conflicts."""
        drift = DriftDetector(self._incarnation, self._link.replica)
        while self._link.sync is sync:
            await asyncio.sleep(max(DRIFT_POLL_S, sync.pace.replicas * DRIFT_POLL_S / 50))
            try:
                replicas = [replica_report(beat) for beat in await _beats(sync)]
            except LedgerError:
                continue
            for event in drift.noticed(replicas, self._clock.unix_ms()):
                notify(self._link.sinks, event)


async def _beats(sync: Sync) -> list[Heartbeat]:
    with sync.denied_permissions.checked(OTHER_REPLICAS):
        return await sync.ledger.replicas()
