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
from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.fleet_reader import FleetReader
from ha_rag.breaker.heartbeat import body, default_name
from ha_rag.breaker.outcome import Classify, classify
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.breaker.report import CircuitReport, FleetReport, circuit_report, here, view_report
from ha_rag.cancellation import end
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import ConfigurationError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import Sink
from ha_rag.ledger.store.address import parse
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys, checked_name
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Freshness, Scope


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
        self.told: Callable[[], Mapping[str, Any]] = dict
        """What else the heartbeat should carry; set by whoever knows more of this process than its circuits."""
        self._ledger = ledger
        self._link = FleetLink(self.replica, self.clock, sinks)
        self._fleet_reader = FleetReader(self._link, self.incarnation, self._body)
        self._views = self._link.views
        self._breakers: dict[str, CircuitBreaker] = {}
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

    # ---- breakers ---------------------------------------------------------------------------------------------------

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
                stalled=self._link.lag.since,
            )
            breaker = self._breakers[name] = CircuitBreaker(self._link, view, classify)
            self._views.add(view)
            sync = self._sync
        if sync is not None:
            sync.add(view)
        return breaker

    # ---- reading ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process as it believes it now. A memory read."""
        return self._fleet_reader.snapshot()

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """The fleet's belief of every circuit, the same from each replica; this one's own where the ledger is away."""
        return await self._fleet_reader.circuits()

    async def fleet(self) -> FleetReport:
        """Every living replica, from its last heartbeat; only this one where the ledger is away."""
        return await self._fleet_reader.fleet()

    @property
    def shared_state(self) -> Freshness:
        """How fresh the worst of the shared beliefs is: "fresh", "stale" or "local". A memory read."""
        return self._link.shared_state

    @property
    def heard_ago_s(self) -> float | None:
        """Age of the oldest belief on a shared circuit, in seconds; None where nothing is shared. A memory read."""
        return self._link.heard_ago_s

    @property
    def limits(self) -> tuple[str, ...]:
        """What Redis refuses this replica, each in words that begin where "Redis refuses" ends. A memory read."""
        return self._sync.limits.standing if self._sync is not None else ()

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger, to be read only; None where this process is alone, or has not been entered."""
        return self._sync.ledger if self._sync is not None else None

    # ---- operators --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """An operator's word, for every replica. `for_s`: seconds until it ends by itself, None: until ended.

        Raises UnknownCircuitError, ConfigurationError for a bad mode or time, LedgerError where Redis cannot be told:
        for a shared circuit also before the registry is entered.
        """
        return await self._overridden(name, checked_mode(mode), reason, by, checked_for_ms(for_s))

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Gives a circuit back to the law. Raises as `override` does."""
        return await self._overridden(name, None, reason, by, None)

    async def _overridden(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        view, sync = await self._known(name), self._sync
        if view.scope == "fleet" and sync is None:
            raise LedgerUnavailableError(f"circuit {name!r} is the fleet's: enter the registry to join it")
        if sync is None or view.scope == "replica":
            view.override_locally(mode, reason, by, for_ms)
            self._link.tell(view)
            return view_report(view, self.clock.monotonic_s(), self.clock.unix_ms())
        reply = await sync.override(view, lambda ledger: ledger.override(name, view.terms, mode, reason, by, for_ms))
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

    # ---- telling ----------------------------------------------------------------------------------------------------

    def add_sink(self, sink: Sink) -> None:
        """Tells one more listener of every event from now on."""
        self._link.sinks.append(sink)

    def _body(self) -> str:
        return body(self.replica, self.shared_state, self._views.all(), {"limits": self.limits, **self.told()})

    # ---- life -------------------------------------------------------------------------------------------------------

    @property
    def _sync(self) -> Sync | None:
        return self._link.sync

    async def __aenter__(self) -> Self:
        self._link.background.open()
        self._watching += map(asyncio.ensure_future, (self._link.lag.watch(), self._link.tidy_own()))
        if self._ledger is not None:
            sync = Sync(self._ledger(), self.incarnation, self.clock, sinks=self._link.sinks, body=self._body)
            with self._lock:
                for view in self._views.all():
                    sync.add(view)
                self._link.sync = sync
            await sync.start()
            self._watching.append(asyncio.ensure_future(self._fleet_reader.look_around(sync)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sync = self._sync
        try:
            if sync is not None:
                await sync.stop()
        finally:
            self._link.sync = None  # not before: probes that end meanwhile have a word to say
            self._link.background.close()
            await self._stop_watching()

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, []
        await end(*watching)

    def __enter__(self) -> Self:
        self._thread = BackgroundLoop("`async with`")
        return self._thread.run(self.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close(lambda: self.__aexit__(kind, error, trace))


def _check_same(known: CircuitBreaker, policy: CircuitPolicy | None) -> None:
    if policy is not None and policy != known.policy:
        raise ConfigurationError(
            f"circuit {known.name!r} already has another policy; a circuit has one in each process"
        )
