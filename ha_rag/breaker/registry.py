"""CircuitRegistry: all circuits of one process, by name, and their shared link to the fleet.

    async with CircuitRegistry.connect("redis://localhost:6379/0", namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=5))

Without a URL the process decides alone, by the same rules. A synchronous program uses `with` instead of `async with`;
the sync then runs on a background thread. Reading is safe from any thread and any task.
"""

from __future__ import annotations

import asyncio
import random
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
from ha_rag.ledger.store.credentials import Credentials, checked
from ha_rag.ledger.store.keys import Keys, checked_name
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Freshness, Scope


class CircuitRegistry:
    """The circuits of one process. Create it with `connect`; entering it joins the fleet, exiting it leaves.

    `replica`: this process's name. `incarnation`: the name and a random part, unique even if two replicas share a name.
    `draw`: a random number in [0, 1), for jitter, ramps and shedding.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger] | None = None,
        *,
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._draw = draw
        self.clock: Clock = clock or SystemClock()
        self.replica = checked_name("replica", replica or default_name())
        self.incarnation = f"{self.replica}~{secrets.token_hex(4)}"
        self.told: Callable[[], Mapping[str, Any]] = dict
        """Returns further heartbeat fields. Set by the application that embeds the registry."""
        self._ledger = ledger
        self._link = FleetLink(self.replica, self.clock, sinks)
        self._fleet_reader = FleetReader(self._link, self.incarnation, self._body)
        self._views = self._link.views
        self._breakers: dict[str, CircuitBreaker] = {}
        self._lock = threading.Lock()
        self._tasks: list[asyncio.Task[None]] = []
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
        credential_provider: Credentials | None = None,
    ) -> Self:
        """A registry over the Redis at `url` (redis, rediss, unix, redis+sentinel, redis+cluster); None: no Redis.

        `credential_provider`: gives the password for each new connection, as redis-py's `CredentialProvider` does, for
        a password that changes; the URL then has none.
        Connects when entered. An unreachable Redis is not an error: the replica starts alone and joins later.
        Raises ConfigurationError for an invalid URL, namespace or name.
        """
        if url is None:
            return cls(None, replica=replica, clock=clock, sinks=sinks)
        checked(credential_provider, parse(url)), Keys(namespace)  # raises now, not when the registry is entered
        return cls(
            lambda: RedisLedger(connect(url, credential_provider=credential_provider), namespace),
            replica=replica, clock=clock, sinks=sinks,
        )  # fmt: skip

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
        """The breaker of that name, created on first use; later calls return the same object.

        `scope`: "fleet" to guard a service that all replicas call, "replica" to guard something inside this process.
        `timeout_s`: timeout of the guarded calls. `classify`: maps an exception to a verdict.
        Raises ConfigurationError for an invalid name, or for a different policy than the existing breaker's.
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
                draw=self._draw,
                stalled=self._link.lag.since,
            )
            breaker = self._breakers[name] = CircuitBreaker(self._link, view, classify)
            self._views.add(view)
            sync = self._sync
        if sync is not None:
            sync.add(view)
        return breaker

    def update(self, name: str, policy: CircuitPolicy) -> CircuitBreaker:
        """Applies another policy to a breaker of this process (`CircuitBreaker.update_policy`), and returns it.

        `breaker(name, policy)` then accepts both the first policy and the current one. Raises UnknownCircuitError.
        """
        with self._lock:
            known = self._breakers.get(name)
            names = tuple(sorted(self._breakers))
        if known is None:
            raise UnknownCircuitError(name, names)
        known.update_policy(policy)
        return known

    # ---- reading ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process, from its cached state. A memory read."""
        return self._fleet_reader.snapshot()

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """Every circuit of the fleet; this replica's cached state while the ledger is unreachable."""
        return await self._fleet_reader.circuits()

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; only this one while the ledger is unreachable."""
        return await self._fleet_reader.fleet()

    @property
    def shared_state(self) -> Freshness:
        """The worst freshness of the shared circuits: "fresh", "stale" or "local". A memory read."""
        return self._link.shared_state

    @property
    def heard_ago_s(self) -> float | None:
        """Age of the oldest cached state of a shared circuit, in seconds; None if nothing is shared. A memory read."""
        return self._link.heard_ago_s

    @property
    def limits(self) -> tuple[str, ...]:
        """What Redis refuses this replica, each as a phrase that completes "Redis refuses ...". A memory read."""
        return self._sync.denied_permissions.current if self._sync is not None else ()

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger, for reading only; None without Redis or before the registry is entered."""
        return self._sync.ledger if self._sync is not None else None

    # ---- overrides --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """Overrides a circuit in every replica. `for_s`: seconds until the override expires, None: never.

        Raises UnknownCircuitError, ConfigurationError for an invalid mode or duration, and LedgerError if Redis cannot
        be reached or, for a shared circuit, the registry has not been entered.
        """
        return await self._override(name, checked_mode(mode), reason, by, checked_for_ms(for_s))

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Ends a circuit's override. Raises the same errors as `override`."""
        return await self._override(name, None, reason, by, None)

    async def _override(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        view, sync = await self._known(name), self._sync
        if view.scope == "fleet" and sync is None:
            raise LedgerUnavailableError(f"circuit {name!r} is shared with the fleet: enter the registry first")
        if sync is None or view.scope == "replica":
            view.override_locally(mode, reason, by, for_ms)
            self._link.publish_rulings(view)
            return view_report(view, self.clock.monotonic_s(), self.clock.unix_ms())
        reply = await sync.override(view, lambda ledger: ledger.override(name, view.terms, mode, reason, by, for_ms))
        return circuit_report(name, "fleet", reply.snapshot, here=here(view))

    async def _known(self, name: str) -> View:
        """The view of a circuit; a temporary one for a circuit used only by other replicas, whose policy then stays."""
        view = self._views.get(name)
        if view is not None:
            return view
        reports = {report.name for report in await self.circuits()}
        if name not in reports:
            raise UnknownCircuitError(name, tuple(sorted(reports)))
        return View(name, CircuitPolicy(), replica=self.incarnation, clock=self.clock)

    # ---- events and heartbeats --------------------------------------------------------------------------------------

    def add_sink(self, sink: Sink) -> None:
        """Sends every later event to `sink` too."""
        self._link.sinks.append(sink)

    def _body(self) -> str:
        return body(self.replica, self.shared_state, self._views.all(), {"limits": self.limits, **self.told()})

    # ---- lifecycle --------------------------------------------------------------------------------------------------

    @property
    def _sync(self) -> Sync | None:
        return self._link.sync

    async def __aenter__(self) -> Self:
        self._link.background.open()
        self._tasks += map(asyncio.ensure_future, (self._link.lag.watch(), self._link.tidy_local()))
        if self._ledger is not None:
            sync = Sync(self._ledger(), self.incarnation, self.clock, sinks=self._link.sinks, body=self._body)
            with self._lock:
                for view in self._views.all():
                    sync.add(view)
                self._link.sync = sync
            await sync.start()
            self._tasks.append(asyncio.ensure_future(self._fleet_reader.watch_for_drift(sync)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sync = self._sync
        try:
            if sync is not None:
                await sync.stop()
        finally:
            self._link.sync = None  # not earlier: probes that end while the sync stops still report through it
            self._link.background.close()
            await self._end_tasks()

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        await end(*tasks)

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
    if policy is not None and policy not in (known.policy, known.declared_policy):
        raise ConfigurationError(
            f"circuit {known.name!r} already has a different policy; use one policy per circuit in a process"
        )
