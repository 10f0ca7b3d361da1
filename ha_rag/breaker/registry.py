"""CircuitRegistry: all circuits of one process, by name, and their shared link to the fleet.

    async with CircuitRegistry.connect("redis://localhost:6379/0", namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=5))

Without a URL the process decides alone, by the same rules. A synchronous program uses `with` instead of `async with`;
the sync then runs on a background thread. Reading is safe from any thread and any task.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ha_rag.background import BackgroundLoop
from ha_rag.breaker.argument_checks import check_ledger, check_text, checked_sink, checked_sinks
from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.breaker_settings import BreakerSettings, Classes
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.heartbeat import body, default_name
from ha_rag.breaker.known_breakers import KnownBreakers
from ha_rag.breaker.outcome import Classify, ClassifyResult
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.cancellation import end
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerUnavailableError, UnknownCircuitError
from ha_rag.ledger.store.circuit_names import checked_circuit_name
from ha_rag.ledger.store.keys import Keys, checked_name
from ha_rag.ledger.view.view import View
from ha_rag.sharing import Freshness, Scope

if TYPE_CHECKING:
    from ha_rag.breaker.fleet_reader import FleetReader
    from ha_rag.breaker.report import CircuitReport, FleetReport
    from ha_rag.events import Sink
    from ha_rag.ledger.store.ledger import Ledger
    from ha_rag.ledger.sync import Sync


class CircuitRegistry:
    """The circuits of one process. Create it with `connect`; entering it joins the fleet, exiting it leaves.

    `replica`: this process's name. `incarnation`: the name and a random part, unique even if two replicas share a name.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger] | None = None,
        *,
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
        forget_after_s: float | None = None,
    ) -> None:
        check_ledger(ledger)
        self.clock: Clock = clock or SystemClock()
        self.replica = checked_name("replica", replica or default_name())
        self.incarnation = f"{self.replica}~{os.urandom(4).hex()}"
        self.told: Callable[[], Mapping[str, Any]] = dict
        """Returns further heartbeat fields. Set by the application that embeds the registry."""
        self._ledger = ledger
        self._link = FleetLink(self.replica, self.clock, checked_sinks(sinks))
        self._views = self._link.views
        self._breakers = KnownBreakers(self._link, forget_after_s)
        self._settings: dict[str, BreakerSettings] = {}
        self._lock = self._breakers.lock
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
        forget_after_s: float | None = None,
    ) -> Self:
        """A registry over the Redis at `url` (redis, rediss, unix, redis+sentinel, redis+cluster); None: no Redis.

        Connects when entered. An unreachable Redis is not an error: the replica starts alone and joins later.
        Raises ConfigurationError for an invalid URL, namespace or name.
        """
        check_text(namespace=namespace, **({} if url is None else {"url": url}))
        if url is None:
            return cls(None, replica=replica, clock=clock, sinks=sinks, forget_after_s=forget_after_s)
        # redis-py takes longer to import than all the rest: a process without a URL never does.
        from ha_rag.ledger.store.address import parse
        from ha_rag.ledger.store.connection import connect
        from ha_rag.ledger.store.redis import RedisLedger

        parse(url), Keys(namespace)  # raises now rather than when the registry is entered
        return cls(
            lambda: RedisLedger(connect(url), namespace),
            replica=replica,
            clock=clock,
            sinks=sinks,
            forget_after_s=forget_after_s,
        )

    # ---- breakers ---------------------------------------------------------------------------------------------------

    def breaker(
        self,
        name: str,
        policy: CircuitPolicy | None = None,
        *,
        scope: Scope | None = None,
        timeout_s: float | None = None,
        classify: Classify | None = None,
        classify_result: ClassifyResult | None = None,
        ignore: Classes = (),
        record: Classes = (),
    ) -> CircuitBreaker:
        """The breaker of that name, created on first use; later calls return the same object.

        `scope`: "fleet" (the default) to guard a service that all replicas call, "replica" to guard something inside
        this process. `timeout_s`: timeout of the guarded calls.
        `classify`: maps an exception to a verdict, `classify_result` a returned value; both may return None for the
        default. `ignore`: exception classes that never count. `record`: those that always count; then no others do.
        Raises ConfigurationError for an invalid name or setting, or for another setting than the existing breaker's.
        """
        settings = BreakerSettings.checked(
            policy=policy, scope=scope, timeout_s=timeout_s, classify=classify, classify_result=classify_result,
            ignore=ignore, record=record,
        )  # fmt: skip
        check_text(name=name)
        with self._lock:
            known = self._breakers.get(name)
            if known is not None:
                self._settings[name].check_same(name, settings)
                return known
            view = View(
                checked_circuit_name(name),
                policy or CircuitPolicy(),
                replica=self.incarnation,
                clock=self.clock,
                scope=scope or "fleet" if self._ledger is not None else "replica",
                timeout_s=timeout_s,
                stalled=self._link.lag.since,
            )
            breaker = CircuitBreaker(self._link, view, settings.judge())
            self._breakers.add(breaker)
            self._settings[name] = settings
            self._views.add(view)
            sync = self._sync
        if sync is not None:
            sync.add(view)
        return breaker

    # ---- forgetting -------------------------------------------------------------------------------------------------

    async def remove(self, name: str) -> None:
        """Deletes a circuit that is no longer needed, here and in Redis. Raises LedgerError.

        A call through a breaker of that name brings it back, here or in a replica that still knows it.
        """
        breaker = self._breakers.get(checked_circuit_name(name))
        if breaker is not None:
            self._breakers.forget(breaker, in_use=True)
        if self._sync is not None and (breaker is None or breaker.scope == "fleet"):
            await self._sync.ledger.remove(name)

    # ---- reading ----------------------------------------------------------------------------------------------------

    @cached_property
    def _fleet_reader(self) -> FleetReader:
        from ha_rag.breaker.fleet_reader import FleetReader

        return FleetReader(self._link, self.incarnation, self._body)

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
        from ha_rag.breaker.report import circuit_report, here, view_report

        check_text(name=name, reason=reason, by=by)
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
        self._link.sinks.append(checked_sink(sink))

    def _body(self) -> str:
        return body(self.replica, self.shared_state, self._views.awake(), {"limits": self.limits, **self.told()})

    # ---- lifecycle --------------------------------------------------------------------------------------------------

    @property
    def _sync(self) -> Sync | None:
        return self._link.sync

    async def __aenter__(self) -> Self:
        self._link.background.open()
        periodic = (self._link.lag.watch(), self._link.tidy_local(), self._breakers.forget_unused())
        self._tasks += map(asyncio.ensure_future, periodic)
        if self._ledger is not None:
            from ha_rag.ledger.sync import Sync

            sync = Sync(
                self._ledger(), self.incarnation, self.clock, sinks=self._link.sinks, body=self._body, views=self._views
            )
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
