"""FleetReader: what one replica reads of the whole fleet: every circuit, every replica, and who of them is odd.

Where the ledger is away it answers with what is known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
from ha_rag.ledger.store.ledger import Heartbeat
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.sync.denied_permissions import CIRCUIT_LIST, OTHER_REPLICAS

LOOK_AROUND_S = 5.0
"""How often, in a fleet of up to fifty, a replica reads the heartbeats of the others."""


class FleetReader:
    """Reads the fleet. `body`: what this replica says of itself, as JSON text. Used on the sync's event loop."""

    def __init__(self, link: FleetLink, incarnation: str, body: Callable[[], str]) -> None:
        self._link = link
        self._clock = link.clock
        self._views = link.views
        self._incarnation = incarnation
        self._body = body
        # Each would want a connection of its own, of the few that reports and probes go by.
        self._shared = SingleFlight(self._read_shared)

    # ---- circuits ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process as it believes it now. A memory read; safe from any thread."""
        now_s, unix_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        return tuple(view_report(view, now_s, unix_ms) for view in sorted(self._views.all(), key=lambda v: v.name))

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """The fleet's belief of every circuit; this replica's own where the ledger is away.

        All who ask at once share one read, which began after they asked.
        """
        shared = await self._shared() if self._link.sync is not None else {}
        own = {report.name: report for report in self.snapshot()}
        return tuple(report for _, report in sorted({**own, **shared}.items()))

    async def _read_shared(self) -> dict[str, CircuitReport]:
        """Name -> what the ledger says of it; nothing where the ledger is away."""
        sync = self._link.sync
        if sync is None:
            return {}
        try:
            with sync.limits.trying(CIRCUIT_LIST):
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
        """Every living replica, from its last heartbeat; only this one where the ledger is away."""
        link, sync = self._link, self._link.sync
        if sync is None:
            return FleetReport((self._myself(),), "local", "no Redis is configured")
        try:
            beats, now_ms = await asyncio.gather(_beats(sync), sync.ledger.now_ms())
        except LedgerError as error:
            alone = isinstance(error, LedgerUnavailableError)
            return FleetReport((self._myself(),), "local" if alone else link.shared_state, str(error))
        reports = {beat.incarnation: replica_report(beat) for beat in beats}
        if self._incarnation not in reports:  # not yet, or its heartbeats are refused
            reports[self._incarnation] = self._myself(max((beat.at_ms for beat in beats), default=None))
        ordered = tuple(report for _, report in sorted(reports.items()))
        return FleetReport(ordered, link.shared_state, "" if sync.link.up else sync.link.reason, now_ms)

    def _myself(self, at_ms: int | None = None) -> ReplicaReport:
        return replica_report(Heartbeat(self._incarnation, at_ms or self._clock.unix_ms(), self._body()))

    async def look_around(self, sync: Sync) -> None:
        """Now and then, and less often in a large fleet, reads what the others say, and tells of what is odd."""
        drift = DriftDetector(self._incarnation, self._link.replica)
        while self._link.sync is sync:
            await asyncio.sleep(max(LOOK_AROUND_S, sync.pace.replicas * LOOK_AROUND_S / 50))
            try:
                replicas = [replica_report(beat) for beat in await _beats(sync)]
            except LedgerError:
                continue
            for event in drift.noticed(replicas, self._clock.unix_ms()):
                notify(self._link.sinks, event)


async def _beats(sync: Sync) -> list[Heartbeat]:
    with sync.limits.trying(OTHER_REPLICAS):
        return await sync.ledger.replicas()
