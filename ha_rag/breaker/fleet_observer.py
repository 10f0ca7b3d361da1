"""FleetObserver: reads and overrides a fleet's circuits without being a replica. For dashboards, alerters, the CLI.

    async with FleetObserver.connect("redis://localhost:6379/0", namespace="shop", name="dashboard") as fleet:
        for circuit in await fleet.circuits(): ...

It reports no calls, does not vote, requests no probes and sends no heartbeat, so it is not counted as a replica.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from ha_rag.breaker.heartbeat import reported_terms
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.breaker.report import CircuitReport, FleetReport, circuit_report, replica_report
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.cancellation import end
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import Sink
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import checked_name
from ha_rag.ledger.store.ledger import Change, Heartbeat, Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.sync.event_publisher import EventPublisher
from ha_rag.ledger.sync.link import Link
from ha_rag.ledger.sync.loops import run_forever
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.sharing import Freshness

RETRY_S = (0.2, 1.0)
"""Range of the random delay before subscribing again."""


class FleetObserver:
    """A fleet as seen by a process that is not one of its replicas. For one event loop.

    `name`: the name it uses in events and overrides. Changes are pushed to sinks within milliseconds.
    """

    def __init__(self, ledger: Ledger, name: str, *, clock: Clock | None = None, sinks: Iterable[Sink] = ()) -> None:
        self.replica = checked_name("name", name)
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._sinks = list(sinks)
        self._publisher = EventPublisher(self.replica, self._clock, self._sinks)
        self._link = Link(self._clock)
        self._terms: dict[str, Terms] = {}
        self._known: dict[str, Snapshot] = {}
        self._published: dict[str, Snapshot] = {}
        """Circuit -> the last change published. `_known` may be ahead of it: it also holds polled snapshots."""
        self._subscription: asyncio.Task[None] | None = None
        self._shared_read = SingleFlight(self._read_circuits)

    @classmethod
    def connect(
        cls, url: str, *, namespace: str = "ha_rag", name: str = "observer", sinks: Iterable[Sink] = ()
    ) -> Self:
        """An observer of the fleet at `url`. Connects on first use. Raises ConfigurationError."""
        return cls(RedisLedger(connect(url), namespace), name, sinks=sinks)

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger. For reading only."""
        return self._ledger

    @property
    def shared_state(self) -> Freshness:
        """Either "fresh", while the ledger answers, or "local"."""
        return Freshness.FRESH if self._link.up else Freshness.LOCAL

    @property
    def limits(self) -> tuple[str, ...]:
        """Always empty: an observer does not track which commands Redis refuses."""
        return ()

    def add_sink(self, sink: Sink) -> None:
        """Sends every later change to `sink` too."""
        self._sinks.append(sink)

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """Every circuit of the fleet; as last read while the ledger is unreachable.

        Concurrent callers share one read, which starts after they called.
        """
        return await self._shared_read()

    async def _read_circuits(self) -> tuple[CircuitReport, ...]:
        try:
            names = await self._ledger.known_circuits()
            replies = await self._ledger.read({name: self._terms_of(name) for name in names}) if names else {}
        except LedgerError as error:
            self._link_down(error)
        else:
            self._link_up()
            known = self._known | {name: reply.snapshot for name, reply in replies.items()}
            self._known = {name: known[name] for name in names if name in known}
        return tuple(circuit_report(name, "fleet", snapshot) for name, snapshot in sorted(self._known.items()))

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; none while the ledger is unreachable."""
        try:
            beats, now_ms = await asyncio.gather(self._ledger.replicas(), self._ledger.now_ms())
        except LedgerError as error:
            self._link_down(error)
            return FleetReport((), "local", str(error))
        self._link_up()
        self._update_terms(beats)
        ordered = tuple(sorted(map(replica_report, beats), key=lambda r: r.incarnation))
        return FleetReport(ordered, self.shared_state, now_ms=now_ms)

    def _update_terms(self, beats: Iterable[Heartbeat]) -> None:
        """Takes each circuit's terms (window, number of probes) from the heartbeats."""
        terms = (item for beat in beats for item in reported_terms(replica_report(beat)).items())
        self._terms = dict(terms)

    def _terms_of(self, circuit: str) -> Terms:
        return self._terms.get(circuit) or Terms.of(CircuitPolicy())

    # ---- overrides --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """Overrides a circuit in every replica. Raises UnknownCircuitError, ConfigurationError and LedgerError."""
        return await self._override(name, checked_mode(mode), reason, by, checked_for_ms(for_s))

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Ends a circuit's override. Raises the same errors as `override`."""
        return await self._override(name, None, reason, by, None)

    async def _override(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        known = await self._ledger.known_circuits()
        if name not in known:
            raise UnknownCircuitError(name, tuple(known))
        reply = await self._ledger.override(name, self._terms_of(name), mode, reason, by, for_ms)
        return circuit_report(name, "fleet", reply.snapshot)

    # ---- lifecycle --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._subscription = asyncio.create_task(run_forever(self._subscribe, lambda: random.uniform(*RETRY_S)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await end(subscription)
        await self._ledger.aclose()

    async def _subscribe(self) -> None:
        try:
            async for change in self._ledger.changes():
                self._receive(change)
        except LedgerError as error:
            self._link_down(error)
            raise
        raise LedgerUnavailableError("the subscription to changes ended")

    def _receive(self, change: Change | None) -> None:
        self._link_up()
        if change is None:
            return
        name, after = change.circuit, change.snapshot
        published, known = self._published.get(name), self._known.get(name)
        if known is None or after.epoch >= known.epoch:
            self._known[name] = after
        if change.previous_epoch == after.epoch or (published is not None and after.epoch <= published.epoch):
            return  # only the counts changed, or the message is late
        if known is not None and known.epoch < after.epoch:
            published = known
        self._published[name] = after
        self._publisher.circuit_changed(name, Reconciliation(published or Snapshot(now_ms=after.now_ms), after))

    def _link_up(self) -> None:
        away_s = self._link.answered(None)
        if away_s is not None:
            self._publisher.ledger_back(away_s)

    def _link_down(self, error: LedgerError) -> None:
        if self._link.failed(str(error)):
            self._publisher.ledger_lost(str(error))
