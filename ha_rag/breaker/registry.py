"""CircuitRegistry: all circuits of one process, by name, and their common link to the fleet.

    async with CircuitRegistry.connect("redis://localhost:6379/0", namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=5))

Without a URL the process judges alone, under the same law. A synchronous program says `with` instead of `async with`:
the sync then runs on one background thread. Reading is safe from any thread and any task.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from ha_rag.background import BackgroundLoop
from ha_rag.breaker.breaker import PROBE_WAIT_S, CircuitBreaker
from ha_rag.breaker.heartbeat import Census, body, default_name
from ha_rag.breaker.lag import Lag
from ha_rag.breaker.operators import checked_for_ms, checked_mode
from ha_rag.breaker.outcome import Classify, classify
from ha_rag.breaker.permit import Admission, Refusal
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
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import WOULD_OPEN, Transition
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import ConfigurationError, LedgerError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import CircuitChanged, Event, Sink, WouldOpen, announce
from ha_rag.ledger.address import parse
from ha_rag.ledger.asking import Grant
from ha_rag.ledger.connection import connect
from ha_rag.ledger.gate import Scope
from ha_rag.ledger.keys import Keys, checked_name
from ha_rag.ledger.ledger import Beat, Ledger
from ha_rag.ledger.limits import CENSUS, ROLL
from ha_rag.ledger.redis import RedisLedger
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.sync.errands import running_loop
from ha_rag.ledger.view import View
from ha_rag.messages import Outcome

FRESH_POLLS = 2.5
"""A belief is fresh while it was heard within this many polls."""


LOOK_AROUND_S = 5.0
"""How often, in a fleet of up to fifty, a replica reads the heartbeats of the others."""


class CircuitRegistry:
    """The circuits of one process. Make it with `connect`; enter it to join the fleet, leave it to say goodbye.

    `replica`: this process's name. `incarnation`: name and a random part, so that two of one name stay two.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger] | None = None,
        *,
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.replica = checked_name("replica", replica or default_name())
        self.incarnation = f"{self.replica}~{secrets.token_hex(4)}"
        self.lag = Lag(self.clock)
        self.told: Callable[[], Mapping[str, Any]] = dict
        """What else the heartbeat should carry; set by whoever knows more of this process than its circuits."""
        self._sinks = list(sinks)
        self._ledger = ledger
        self._sync: Sync | None = None
        self._breakers: dict[str, CircuitBreaker] = {}
        self._views: dict[str, View] = {}
        self._lock = threading.Lock()
        self._watching: list[asyncio.Task[None]] = []
        self._thread: BackgroundLoop | None = None

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        namespace: str = "ha_rag",
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
    ) -> Self:
        """A registry over the Redis at `url` (redis, rediss, unix, redis+sentinel, redis+cluster), or alone for None.

        Nothing is contacted before it is entered, and a Redis that cannot be reached is no error: the replica starts
        alone and joins later. Raises ConfigurationError for a URL, namespace or name that cannot be used.
        """
        if url is None:
            return cls(None, replica=replica, clock=clock, sinks=sinks)
        parse(url), Keys(namespace)  # what cannot be used is said here, not when the first call comes
        return cls(lambda: RedisLedger(connect(url), namespace), replica=replica, clock=clock, sinks=sinks)

    # ---- circuits ---------------------------------------------------------------------------------------------------

    def breaker(
        self,
        name: str,
        policy: CircuitPolicy | None = None,
        *,
        scope: Scope = "fleet",
        timeout_s: float | None = None,
        classify: Classify = classify,
    ) -> CircuitBreaker:
        """The breaker of that name; made on first use, the same object ever after.

        `scope`: "fleet" for what guards a service, "replica" for what guards something inside this process.
        `timeout_s`: the guarded calls' own timeout. `classify`: what an exception says of the service.
        Raises ConfigurationError for a name that cannot be used, or a second policy for one name.
        """
        with self._lock:
            known = self._breakers.get(name)
            if known is not None:
                _check_same(known, policy)
                return known
            view = View(
                checked_name("circuit", name),
                policy or CircuitPolicy(),
                replica=self.incarnation,
                clock=self.clock,
                scope=scope if self._ledger is not None else "replica",
                timeout_s=timeout_s,
            )
            breaker = CircuitBreaker(self, view, classify)
            # Others walk over these while circuits are added: each walk ends with those it began with.
            self._views = {**self._views, name: view}
            self._breakers = {**self._breakers, name: breaker}
        if self._sync is not None:
            self._sync.add(view)
        return breaker

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process as it believes it now. A memory read."""
        now_s, unix_ms = self.clock.monotonic_s(), self.clock.unix_ms()
        return tuple(view_report(view, now_s, unix_ms) for _, view in sorted(self._views.items()))

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """The fleet's belief of every circuit, the same from each replica; this one's own where the ledger is away."""
        sync = self._sync
        own = {report.name: report for report in self.snapshot()}
        if sync is None:
            return tuple(own.values())
        try:
            with sync.limits.trying(ROLL):
                known = await sync.ledger.known_circuits()
            names = {*known, *(v.name for v in self._views.values() if v.scope == "fleet")}
            replies = await sync.ledger.read({name: self._terms(name) for name in names})
        except LedgerError:
            return tuple(own.values())
        shared = {
            name: circuit_report(name, "fleet", reply.snapshot, here=self._here(name))
            for name, reply in replies.items()
        }
        return tuple(report for _, report in sorted({**own, **shared}.items()))

    def _terms(self, name: str) -> Terms:
        view = self._views.get(name)
        return view.terms if view is not None else Terms.of(CircuitPolicy())

    def _here(self, name: str) -> Here | None:
        view = self._views.get(name)
        return here(view) if view is not None else None

    # ---- operators --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """An operator's word, for every replica. `for_s`: seconds until it ends by itself, None: until ended.

        Raises UnknownCircuitError, ConfigurationError for a bad mode or time, LedgerError where Redis cannot be told.
        """
        checked_for_ms(for_s)
        return await self._overridden(name, checked_mode(mode), reason, by, for_s)

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Gives a circuit back to the law. Raises as `override` does."""
        return await self._overridden(name, None, reason, by, None)

    async def _overridden(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_s: float | None
    ) -> CircuitReport:
        view = await self._known(name)
        if view.scope == "replica" or self._sync is None:
            view.override_alone(mode, reason, by, for_s)
            self.tell(view)
            return view_report(view, self.clock.monotonic_s(), self.clock.unix_ms())
        for_ms = None if for_s is None else round(for_s * 1000)
        reply = await self._sync.override(
            view, lambda ledger: ledger.override(name, view.terms, mode, reason, by, for_ms)
        )
        return circuit_report(name, "fleet", reply.snapshot, here=here(view))

    async def _known(self, name: str) -> View:
        """The view of a circuit; a passing one of a circuit that only others use, so that its policy stays theirs."""
        view = self._views.get(name)
        if view is not None:
            return view
        reports = {report.name for report in await self.circuits()}
        if name not in reports:
            raise UnknownCircuitError(name, tuple(sorted(reports)))
        return View(name, CircuitPolicy(), replica=self.incarnation, clock=self.clock)

    # ---- the fleet --------------------------------------------------------------------------------------------------

    @property
    def shared_state(self) -> str:
        """How fresh the worst of the shared beliefs is: "fresh", "stale" or "local". A memory read."""
        if self._sync is None:
            return "local"
        shared = [self._age(view) for view in self._views.values() if view.scope == "fleet"]
        return max(shared, key=_WORST.index, default="fresh" if self._sync.link.up else "local")

    @property
    def heard_ago_s(self) -> float | None:
        """Age of the oldest belief on a shared circuit, in seconds; None where nothing is shared. A memory read."""
        heard = [view.heard_s for view in self._views.values() if view.scope == "fleet"]
        return self.clock.monotonic_s() - min(heard) if heard and self._sync is not None else None

    def freshness(self, view: View) -> str:
        """How fresh one circuit's belief is; a circuit of this process alone is as fresh as its link."""
        if self._sync is None:
            return "local"
        if view.scope == "replica":
            return "fresh" if self._sync.link.up else "local"
        return self._age(view)

    def _age(self, view: View) -> str:
        sync = self._sync
        if sync is None or view.away:
            return "local"
        heard_ago_s = self.clock.monotonic_s() - view.heard_s
        return "fresh" if heard_ago_s <= FRESH_POLLS * sync.pace.poll_s else "stale"

    async def fleet(self) -> FleetReport:
        """Every living replica, from its last heartbeat; only this one where the ledger is away."""
        sync = self._sync
        if sync is not None:
            try:
                beats, now_ms = await asyncio.gather(self._beats(sync), sync.ledger.now_ms())
            except LedgerError as error:
                alone = isinstance(error, LedgerUnavailableError)
                return FleetReport((self._myself(),), "local" if alone else self.shared_state, str(error))
            reports = {beat.incarnation: replica_report(beat) for beat in beats}
            if self.incarnation not in reports:  # not yet, or its heartbeats are refused
                reports[self.incarnation] = self._myself(max((beat.at_ms for beat in beats), default=None))
            ordered = tuple(report for _, report in sorted(reports.items()))
            return FleetReport(ordered, self.shared_state, "" if sync.link.up else sync.link.reason, now_ms)
        return FleetReport((self._myself(),), "local", "no Redis is configured")

    async def _beats(self, sync: Sync) -> list[Beat]:
        with sync.limits.trying(CENSUS):
            return await sync.ledger.replicas()

    def _myself(self, at_ms: int | None = None) -> ReplicaReport:
        return replica_report(Beat(self.incarnation, at_ms or self.clock.unix_ms(), self._body()))

    def _body(self) -> str:
        return body(self.replica, self.shared_state, self._views.values(), {"limits": self.limits, **self.told()})

    @property
    def limits(self) -> tuple[str, ...]:
        """What Redis refuses this replica, each in words that begin where "Redis refuses" ends. A memory read."""
        return self._sync.limits.standing if self._sync is not None else ()

    async def _look_around(self, sync: Sync) -> None:
        """Now and then, and less often in a large fleet, reads what the others say of themselves."""
        census = Census(self.incarnation, self.replica)
        while self._sync is sync:
            await asyncio.sleep(max(LOOK_AROUND_S, sync.pace.replicas * LOOK_AROUND_S / 50))
            try:
                replicas = [replica_report(beat) for beat in await self._beats(sync)]
            except LedgerError:
                continue
            for event in census.noticed(replicas, self.clock.unix_ms()):
                announce(self._sinks, event)

    # ---- what breakers want of it -----------------------------------------------------------------------------------

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks the ledger for a probe, in the background."""
        if self._sync is not None:
            return self._sync.ask(view)
        view.lease_answered(None, "", self.clock.monotonic_s())
        return None

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The request for a probe that is under way."""
        return self._sync.asked(view) if self._sync is not None else None

    def learned(self, view: View) -> None:
        """A call failed, or took too long, and counted: the fleet should know at once."""
        if self._sync is not None and view.scope == "fleet":
            self._sync.report_soon(view)
        self.tell(view)

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int) -> None:
        """A probe ended."""
        if grant.alone:
            view.settle_alone(grant, outcome, throttled_ms)
            self.tell(view)
        elif self._sync is not None:
            self._sync.settle(view, grant, outcome, throttled_ms)

    def admit_waiting(self, breaker: CircuitBreaker) -> Admission:
        """`admit_soon` for a synchronous program: its thread waits at most 50 ms for the ledger's word."""
        admission = breaker.admit()
        if isinstance(admission, Refusal) and admission.state == "half_open" and running_loop() is None:
            breaker._view.wait_for_answer(PROBE_WAIT_S)
            return breaker.admit()
        return admission

    def tell(self, view: View) -> None:
        """Tells of what this replica's own law ruled."""
        for ruling in view.untold():
            for transition in ruling.events:
                announce(self._sinks, self._own_event(view, transition))

    def _own_event(self, view: View, t: Transition) -> Event:
        at_ms, counts = self.clock.unix_ms(), t.counts
        if t.trigger == WOULD_OPEN:
            return WouldOpen(
                at_ms=at_ms,
                replica=self.replica,
                circuit=view.name,
                reason=t.reason,
                by=self.replica,
                samples=counts.samples,
                failed=counts.failed,
                slow=counts.slow,
                epoch=t.epoch,
            )
        return CircuitChanged(
            at_ms=at_ms,
            replica=self.replica,
            circuit=view.name,
            scope="replica",
            previous_epoch=t.previous_epoch,
            epoch=t.epoch,
            from_state=t.before,
            to_state=t.after,
            reason=t.reason,
            by=self.replica,
            samples=counts.samples,
            failed=counts.failed,
            slow=counts.slow,
        )

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger, to be read only; None where this process is alone, or has not been entered."""
        return self._sync.ledger if self._sync is not None else None

    def add_sink(self, sink: Sink) -> None:
        """Tells one more listener of every event from now on."""
        self._sinks.append(sink)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._watching.append(asyncio.ensure_future(self.lag.watch()))
        if self._ledger is not None:
            sync = Sync(self._ledger(), self.incarnation, self.clock, sinks=self._sinks, body=self._body)
            with self._lock:
                for view in self._views.values():
                    sync.add(view)
                self._sync = sync
            await sync.start()
            self._watching.append(asyncio.ensure_future(self._look_around(sync)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sync, self._sync = self._sync, None
        try:
            if sync is not None:
                await sync.stop()
        finally:
            await self._stop_watching()

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, []
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    def __enter__(self) -> Self:
        self._thread = BackgroundLoop("`async with`")
        return self._thread.run(self.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close(lambda: self.__aexit__(kind, error, trace))


_WORST = ["fresh", "stale", "local"]


def _check_same(known: CircuitBreaker, policy: CircuitPolicy | None) -> None:
    if policy is not None and policy != known.policy:
        raise ConfigurationError(
            f"circuit {known.name!r} already has another policy; a circuit has one in each process"
        )
