"""FleetObserver: reads and overrides a fleet's circuits without being a replica. For dashboards, alerters, the CLI.

    async with FleetObserver.connect("redis://localhost:6379/0", namespace="shop", name="dashboard") as fleet:
        for circuit in await fleet.circuits(): ...

It reports no calls, does not vote, requests no probes and sends no heartbeat, so it is not counted as a replica.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from ha_rag import chance
from ha_rag.breaker.heartbeat import reported_terms
from ha_rag.breaker.last_known import LastKnown
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.breaker.report import (
    CircuitReport,
    FleetReport,
    ReplicaReport,
    circuit_report,
    own_circuit_report,
    refused_report,
    replica_report,
)
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.breaker.told_by_replicas import ToldByReplicas
from ha_rag.cancellation import end, gathered
from ha_rag.circuit.bounds import is_beyond
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import Sink
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.credentials import Credentials
from ha_rag.ledger.store.keys import checked_name
from ha_rag.ledger.store.ledger import Change, Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.refused_values import INVALID
from ha_rag.ledger.sync.event_publisher import EventPublisher
from ha_rag.ledger.sync.link import Link
from ha_rag.ledger.sync.loops import run_forever
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.sharing import Freshness, Scope
from ha_rag.turns import in_turns

_USUAL = Terms.of(CircuitPolicy())

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
        self._known_s: dict[str, float] = {}
        """Circuit -> when its snapshot in `_known` was received (monotonic)."""
        self._published: dict[str, Snapshot] = {}
        """Circuit -> the last change published. `_known` may be ahead of it: it also holds polled snapshots."""
        self._subscription: asyncio.Task[None] | None = None
        self._unread = ""
        """Why the last read of the circuits failed; "": it did not. A ledger that answers others may refuse it."""
        self._last = LastKnown(self._clock)
        self._told, self._shared = ToldByReplicas(None), frozenset[str]()
        self._shared_read, self._beats = SingleFlight(self._read_circuits), SingleFlight(self._read_beats)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        namespace: str = "ha_rag",
        name: str = "observer",
        sinks: Iterable[Sink] = (),
        credential_provider: Credentials | None = None,
        timeout_s: float = 0.25,
    ) -> Self:
        """An observer of the fleet at `url`. Connects on first use. Raises ConfigurationError.

        `credential_provider`: as for `CircuitRegistry.connect`. `timeout_s`: to connect, and for each reply.
        """
        client = connect(url, timeout_s=timeout_s, credential_provider=credential_provider)
        return cls(RedisLedger(client, namespace), name, sinks=sinks)

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger. For reading only."""
        return self._ledger

    @property
    def shared_state(self) -> Freshness:
        """Either "fresh", while the ledger answers and its circuits could be read, or "local"."""
        return Freshness.FRESH if self._link.up and not self._unread else Freshness.LOCAL

    @property
    def why_local(self) -> str:
        """Why `shared_state` is "local"; "" if it is not."""
        return self._unread or ("" if self._link.up else self._link.reason)

    @property
    def limits(self) -> tuple[str, ...]:
        """Always empty: an observer does not track which commands Redis refuses."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was heard from Redis and refused, since no replica can have written it."""
        return self._ledger.refused_values.warnings()

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
            names, replicas = await gathered(self._ledger.known_circuits(), self._beats())
            self._told, self._shared = await ToldByReplicas.gathered(replicas), frozenset(names)
            wanted = self._shared | self._told.own_circuits
            replies = await self._valid_replies(wanted)
        except LedgerError as error:
            self._told, self._unread = ToldByReplicas(None), str(error) or type(error).__name__
            self._link_down(error)
        else:
            self._link_up()
            self._unread = ""
            told = {name: reply.snapshot for name, reply in replies.items()}
            self._known, now_s = self._last.after(told, wanted), self._clock.monotonic_s()
            self._known_s |= {name: now_s for name, snapshot in self._known.items() if snapshot is told.get(name)}
            self._believe(replies)
        reports = {name: self._report(name, snapshot) async for name, snapshot in in_turns(list(self._known.items()))}
        return tuple(report for _, report in sorted({**self._refused(), **reports}.items()))

    async def _valid_replies(self, names: Iterable[str]) -> Mapping[str, Reply]:
        """Reads the circuits whose stored state is valid."""
        terms = {name: self._terms_of(name) for name in names}
        try:
            return await self._ledger.read(terms) if terms else {}
        except LedgerRefusedError as error:
            if error.code != INVALID:
                raise
            return {}

    def _refused(self) -> dict[str, CircuitReport]:
        circuits = self._ledger.refused_values.circuits()
        return {name: refused_report(name, why) for name, why in circuits.items()}

    def _report(self, name: str, snapshot: Snapshot) -> CircuitReport:
        elapsed_s = self._clock.monotonic_s() - self._known_s.get(name, self._clock.monotonic_s())
        if self._scope(name) == "replica":
            report = own_circuit_report(name, snapshot, self._told.worst(name), elapsed_s=elapsed_s)
        else:
            report = circuit_report(name, "fleet", snapshot, elapsed_s=elapsed_s)
        return self._told.added_to(report)

    def _scope(self, name: str) -> Scope:
        return "replica" if name in self._told.own_circuits and name not in self._shared else "fleet"

    async def _read_beats(self) -> list[ReplicaReport]:
        reports = [replica_report(beat) async for beat in in_turns(await self._ledger.replicas())]
        terms = dict[str, Terms]()
        async for report in in_turns(reports):
            terms |= reported_terms(report)
        self._terms = terms
        return reports

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; none while the ledger is unreachable."""
        try:
            replicas, now_ms = await gathered(self._beats(), self._ledger.now_ms())
        except LedgerError as error:
            self._link_down(error)
            return FleetReport((), "local", str(error))
        self._link_up()
        ordered = tuple(sorted(replicas, key=lambda r: r.incarnation))
        return FleetReport(ordered, self.shared_state, now_ms=now_ms)

    def _terms_of(self, circuit: str) -> Terms:
        return self._terms.get(circuit) or _USUAL

    # ---- overrides --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """Overrides a circuit in every replica, whatever its scope.

        Raises UnknownCircuitError, ConfigurationError and LedgerError.
        """
        return await self._override(name, checked_mode(mode), reason, by, checked_for_ms(for_s))

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Ends a circuit's override. Raises the same errors as `override`."""
        return await self._override(name, None, reason, by, None)

    async def _override(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        known, replicas = await gathered(self._ledger.known_circuits(), self._beats())
        self._told, self._shared = await ToldByReplicas.gathered(replicas), frozenset(known)
        if name not in (names := self._shared | self._told.own_circuits):
            raise UnknownCircuitError(name, tuple(sorted(names)))
        verb = self._ledger.override if self._scope(name) == "fleet" else self._ledger.order
        reply = await verb(name, self._terms_of(name), mode, reason, by, for_ms)
        return self._report(name, reply.snapshot)

    # ---- lifecycle --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._subscription = asyncio.create_task(run_forever(self._subscribe, lambda: chance.between(*RETRY_S)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await end(subscription)
        await asyncio.gather(self._shared_read.end(), self._beats.end())
        await self._ledger.aclose()

    async def _subscribe(self) -> None:
        try:
            async for change in self._ledger.changes():
                self._receive(change)
        except LedgerError as error:
            self._link_down(error)
            raise
        raise LedgerUnavailableError("the subscription to changes ended")

    def _believe(self, replies: Mapping[str, Reply]) -> None:
        """The store knows better than earlier messages: one with an epoch unknown to it must hide no later one."""
        for name, reply in replies.items():
            self._link.answered(reply.snapshot.now_ms)
            published = self._published.get(name)
            if published is not None and published.epoch > reply.snapshot.epoch:
                self._published[name] = reply.snapshot

    def _is_credible(self, snapshot: Snapshot) -> bool:
        """Whether a replica can have sent this now, by the store's clock as far as that is known."""
        now_ms = self._link.ledger_now_ms()
        return now_ms is None or not is_beyond(max(snapshot.now_ms, snapshot.epoch), now_ms)

    def _receive(self, change: Change | None) -> None:
        self._link_up()
        if change is None:
            return
        if not self._is_credible(change.snapshot):
            self._ledger.refused_values.note("message", f"{change.circuit}: its time or epoch is not the store's")
            return
        name, after = change.circuit, change.snapshot
        published, known = self._published.get(name), self._known.get(name)
        if known is None or after.epoch >= known.epoch:
            self._known[name], self._known_s[name] = after, self._clock.monotonic_s()
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
