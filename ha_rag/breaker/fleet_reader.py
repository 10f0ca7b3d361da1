"""FleetReader: one replica's view of the whole fleet: every circuit, every replica, and policy or name conflicts.

While the ledger is unreachable it returns what this replica knows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.heartbeat import DriftDetector
from ha_rag.breaker.last_known import LastKnown
from ha_rag.breaker.report import (
    CircuitReport,
    FleetReport,
    ReplicaReport,
    circuit_report,
    own_circuit_report,
    refused_report,
    replica_report,
    view_report,
)
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.breaker.told_by_replicas import ToldByReplicas
from ha_rag.cancellation import gathered
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.terms import Terms
from ha_rag.errors import LedgerError, LedgerUnavailableError
from ha_rag.events import notify
from ha_rag.ledger.sync.denied_permissions import CIRCUIT_LIST, OTHER_REPLICAS
from ha_rag.turns import in_turns

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Heartbeat
    from ha_rag.ledger.sync import Sync

_USUAL = Terms.of(CircuitPolicy())

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
        self._last = LastKnown(link.clock)
        # Separate reads would each take one of the few connections that reports and probes need.
        self._shared = SingleFlight(self._read_shared)
        self._replicas = SingleFlight(self._read_replicas)

    async def end(self) -> None:
        """Ends the reads before the ledger is closed: one under way would open a connection that nobody closes."""
        await asyncio.gather(self._shared.end(), self._replicas.end())

    # ---- circuits ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process, from its cached state. A memory read; safe from any thread."""
        now_s, unix_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        return tuple(view_report(view, now_s, unix_ms) for view in sorted(self._views.all(), key=lambda v: v.name))

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """Every circuit of the fleet; this replica's cached state while the ledger is unreachable.

        Concurrent callers share one read, which starts after they called.
        """
        others, told = await self._others()
        own = {report.name: report for report in self.snapshot()}
        ordered = sorted({**others, **own}.items())
        return tuple([told.added_to(report) async for _, report in in_turns(ordered)])

    async def _others(self) -> tuple[dict[str, CircuitReport], ToldByReplicas]:
        if self._link.sync is not None:
            with contextlib.suppress(LedgerError):  # the reads have ended
                return await self._shared()
        return {}, ToldByReplicas(None)

    async def _read_shared(self) -> tuple[dict[str, CircuitReport], ToldByReplicas]:
        """Updates this process's circuits, and returns those that only other replicas use, and what replicas say.

        Nothing while the ledger is unreachable. A circuit of this process is then reported from its cached state, which
        never falls behind: a ledger that lost its data tells less until it is restored.
        """
        sync = self._link.sync
        if sync is None:
            return {}, ToldByReplicas(None)
        told = await self.told_by_others()
        try:
            with sync.denied_permissions.checked(CIRCUIT_LIST):
                known = await sync.ledger.known_circuits()
            own_circuits, listed = told.own_circuits, frozenset(known)
            here = {view.name for view in self._views.all()}
            elsewhere = (own_circuits | listed) - here
            replies = await sync.read({name: self._terms(name) for name in elsewhere | here})
        except LedgerError:
            return self._refused(sync), ToldByReplicas(None)
        snapshots = {name: replies[name].snapshot for name in elsewhere if name in replies}
        found = self._last.after(snapshots, elsewhere)
        others = self._refused(sync)
        async for name, snapshot in in_turns(found.items()):
            if name in own_circuits and name not in listed:
                others[name] = own_circuit_report(name, snapshot, told.worst(name))
            else:
                others[name] = circuit_report(name, "fleet", snapshot)
        return others, told

    def _refused(self, sync: Sync) -> dict[str, CircuitReport]:
        """The circuits of other replicas whose state in the ledger is refused."""
        circuits = sync.ledger.refused_values.circuits()
        return {name: refused_report(name, why) for name, why in circuits.items() if self._views.get(name) is None}

    def _terms(self, name: str) -> Terms:
        view = self._views.get(name)
        return view.terms if view is not None else _USUAL

    async def told_by_others(self) -> ToldByReplicas:
        """What the other live replicas say of circuits; unknown if the ledger does not say."""
        sync = self._link.sync
        try:
            beats = None if sync is None else await self._beats(sync)
        except LedgerError:
            beats = None
        if beats is None:
            return ToldByReplicas(None)
        others = (replica_report(beat) for beat in beats if beat.incarnation != self._incarnation)
        return await ToldByReplicas.gathered(others)

    # ---- replicas ---------------------------------------------------------------------------------------------------

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; only this one while the ledger is unreachable."""
        link, sync = self._link, self._link.sync
        if sync is None:
            return FleetReport((self._own_report(),), "local", "no Redis is configured")
        try:
            beats, now_ms = await self._replicas()
        except LedgerError as error:
            unreachable = isinstance(error, LedgerUnavailableError)
            return FleetReport((self._own_report(),), "local" if unreachable else link.shared_state, str(error))
        reports = {beat.incarnation: replica_report(beat) async for beat in in_turns(beats)}
        if self._incarnation not in reports:  # none sent yet, or Redis refuses its heartbeats
            reports[self._incarnation] = self._own_report(max((beat.at_ms for beat in beats), default=None))
        ordered = tuple(report for _, report in sorted(reports.items()))
        return FleetReport(ordered, link.shared_state, "" if sync.link.up else sync.link.reason, now_ms)

    async def _read_replicas(self) -> tuple[list[Heartbeat], int]:
        sync = self._link.sync
        if sync is None:
            raise LedgerUnavailableError("no link to the fleet")
        beats, now_ms = await gathered(self._beats(sync), sync.ledger.now_ms())
        return beats, now_ms

    def _own_report(self, at_ms: int | None = None) -> ReplicaReport:
        from ha_rag.ledger.store.ledger import Heartbeat

        return replica_report(Heartbeat(self._incarnation, at_ms or self._clock.unix_ms(), self._body()))

    async def _beats(self, sync: Sync) -> list[Heartbeat]:
        with sync.denied_permissions.checked(OTHER_REPLICAS):
            return await sync.ledger.replicas()

    async def watch_for_drift(self, sync: Sync) -> None:
        """Polls all heartbeats, less often in a large fleet, and announces name and policy conflicts."""
        drift = DriftDetector(self._incarnation, self._link.replica)
        while self._link.sync is sync:
            await asyncio.sleep(max(DRIFT_POLL_S, sync.pace.replicas * DRIFT_POLL_S / 50))
            try:
                replicas = [replica_report(beat) async for beat in in_turns(await self._beats(sync))]
            except LedgerError:
                continue
            for event in drift.noticed(replicas, self._clock.unix_ms()):
                notify(self._link.sinks, event)
