"""Observer: sees and steers a fleet without being one of its replicas: a dashboard, an alerter, a terminal.

    async with Observer.connect("redis://localhost:6379/0", namespace="shop", name="dashboard") as fleet:
        for circuit in await fleet.circuits(): ...

It counts nothing, votes for nothing, asks for no probe and sends no heartbeat, so nobody takes it for a replica.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from ha_rag.breaker.heartbeat import terms_told
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
from ha_rag.ledger.sync.rounds import forever
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.sharing import Freshness

RETRY_S = (0.2, 1.0)
"""Between two tries to listen, at random."""


class FleetObserver:
    """What one process sees of a fleet that it is no part of. For one event loop.

    `name`: what it is called where it speaks as an operator. Sinks hear of changes within milliseconds (pushed).
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
        self._told: dict[str, Snapshot] = {}
        """Circuit -> the last change that was told. What is read meanwhile may be ahead of what is pushed."""
        self._listening: asyncio.Task[None] | None = None
        self._joined = SingleFlight(self._read_circuits)

    @classmethod
    def connect(
        cls, url: str, *, namespace: str = "ha_rag", name: str = "observer", sinks: Iterable[Sink] = ()
    ) -> Self:
        """An observer of the fleet at `url`. Nothing is contacted before it is asked. Raises ConfigurationError."""
        return cls(RedisLedger(connect(url), namespace), name, sinks=sinks)

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger, to be read only."""
        return self._ledger

    @property
    def shared_state(self) -> Freshness:
        """Either "fresh", while the ledger answers, or "local"."""
        return Freshness.FRESH if self._link.up else Freshness.LOCAL

    @property
    def limits(self) -> tuple[str, ...]:
        """What Redis refuses it; an observer finds out when it is asked for that."""
        return ()

    def add_sink(self, sink: Sink) -> None:
        """Tells one more listener of every change from now on."""
        self._sinks.append(sink)

    # ---- seeing -----------------------------------------------------------------------------------------------------

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """The fleet's belief of every circuit; what was last read where the ledger is away.

        All who ask at once share one read, which began after they asked.
        """
        return await self._joined()

    async def _read_circuits(self) -> tuple[CircuitReport, ...]:
        try:
            names = await self._ledger.known_circuits()
            replies = await self._ledger.read({name: self._terms_of(name) for name in names}) if names else {}
        except LedgerError as error:
            self._lost(error)
        else:
            self._heard()
            known = self._known | {name: reply.snapshot for name, reply in replies.items()}
            self._known = {name: known[name] for name in names if name in known}
        return tuple(circuit_report(name, "fleet", snapshot) for name, snapshot in sorted(self._known.items()))

    async def fleet(self) -> FleetReport:
        """Every living replica, from its last heartbeat; none where the ledger is away."""
        try:
            beats, now_ms = await asyncio.gather(self._ledger.replicas(), self._ledger.now_ms())
        except LedgerError as error:
            self._lost(error)
            return FleetReport((), "local", str(error))
        self._heard()
        self._learn_terms(beats)
        ordered = tuple(sorted(map(replica_report, beats), key=lambda r: r.incarnation))
        return FleetReport(ordered, self.shared_state, now_ms=now_ms)

    def _learn_terms(self, beats: Iterable[Heartbeat]) -> None:
        """Replicas tell by which rules they read a circuit: how long its window is, and how many may probe."""
        told = (item for beat in beats for item in terms_told(replica_report(beat)).items())
        self._terms = dict(told)

    def _terms_of(self, circuit: str) -> Terms:
        return self._terms.get(circuit) or Terms.of(CircuitPolicy())

    # ---- steering ---------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """An operator's word, for every replica. Raises UnknownCircuitError, ConfigurationError and LedgerError."""
        return await self._overridden(name, checked_mode(mode), reason, by, checked_for_ms(for_s))

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Gives a circuit back to the law. Raises as `override` does."""
        return await self._overridden(name, None, reason, by, None)

    async def _overridden(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        known = await self._ledger.known_circuits()
        if name not in known:
            raise UnknownCircuitError(name, tuple(known))
        reply = await self._ledger.override(name, self._terms_of(name), mode, reason, by, for_ms)
        return circuit_report(name, "fleet", reply.snapshot)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(forever(self._listen, lambda: random.uniform(*RETRY_S)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await end(listening)
        await self._ledger.aclose()

    async def _listen(self) -> None:
        try:
            async for change in self._ledger.changes():
                self._hear(change)
        except LedgerError as error:
            self._lost(error)
            raise
        raise LedgerUnavailableError("the ledger stopped telling of changes")

    def _hear(self, change: Change | None) -> None:
        self._heard()
        if change is None:
            return
        name, told, known = change.circuit, self._told.get(change.circuit), self._known.get(change.circuit)
        after = change.snapshot
        if known is None or after.epoch >= known.epoch:
            self._known[name] = after
        if change.previous_epoch == after.epoch or (told is not None and after.epoch <= told.epoch):
            return  # nothing but counts, or late
        if known is not None and known.epoch < after.epoch:
            told = known
        self._told[name] = after
        self._publisher.heard(name, Reconciliation(told or Snapshot(now_ms=after.now_ms), after))

    def _heard(self) -> None:
        away_s = self._link.answered(None)
        if away_s is not None:
            self._publisher.back(away_s)

    def _lost(self, error: LedgerError) -> None:
        if self._link.failed(str(error)):
            self._publisher.lost(str(error))
