"""CircuitRegistry: all circuits of one process, by name, and their shared link to the fleet.

    async with CircuitRegistry.connect("redis://localhost:6379/0", namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=5))

Without a URL the process decides alone, by the same rules. A synchronous program uses `with` instead of `async with`;
the sync then runs on a background thread. A registry with a URL that is not entered joins at its first call, and so
does a forked child of a process that had joined. Everything is safe from any thread, task and event loop.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.heartbeat import body, default_name
from ha_rag.breaker.link_lifecycle import LinkLifecycle
from ha_rag.breaker.outcome import Classify, classify
from ha_rag.breaker.overriding import Overriding
from ha_rag.breaker.report import CircuitReport, FleetReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import ConfigurationError
from ha_rag.events import Sink
from ha_rag.forks import renewed_in_child
from ha_rag.ledger.store.address import parse
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys, checked_name
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.view.view import View
from ha_rag.native_threads import new_lock
from ha_rag.sharing import Freshness, Scope


class CircuitRegistry:
    """The circuits of one process. Create it with `connect`; entering it joins the fleet, exiting it leaves.

    It may be entered several times: the last exit leaves. After that its circuits are local to this process.
    `joins_at_first_use`: whether a call joins the fleet if nobody has entered it; `connect(url)` sets it.
    `replica`: this process's name. `incarnation`: the name and a random part, unique even if two replicas share a name.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger] | None = None,
        *,
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
        joins_at_first_use: bool = False,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.replica = checked_name("replica", replica or default_name())
        self.incarnation = self._new_incarnation()
        self.told: Callable[[], Mapping[str, Any]] = dict
        """Returns further heartbeat fields. Set by the application that embeds the registry."""
        self._ledger = ledger
        self._link = FleetLink(self.replica, self.clock, sinks)
        self._lifecycle = LinkLifecycle(
            self._link, self.incarnation, ledger=ledger, attach=self._attach, body=self._body,
            joins_at_first_use=joins_at_first_use,
        )  # fmt: skip
        self._membership = self._lifecycle.membership
        self._overriding = Overriding(self._link, self._read_circuits)
        self._views = self._link.views
        self._breakers: dict[str, CircuitBreaker] = {}
        self._lock = new_lock()
        renewed_in_child(self)

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
        """A registry over the Redis at `url` (redis, rediss, unix, redis+sentinel, redis+cluster); None: no Redis.

        Connects when entered, or at its first call. An unreachable Redis is not an error: the replica starts alone and
        joins later.
        Raises ConfigurationError for an invalid URL, namespace or name.
        """
        if url is None:
            return cls(None, replica=replica, clock=clock, sinks=sinks)
        parse(url), Keys(namespace)  # raises now rather than when the registry is entered
        return cls(
            lambda: RedisLedger(connect(url), namespace),
            replica=replica,
            clock=clock,
            sinks=sinks,
            joins_at_first_use=True,
        )

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
            shared_scope = scope if self._ledger is not None else "replica"
            view = self._new_view(checked_name("circuit", name), policy or CircuitPolicy(), shared_scope, timeout_s)
            breaker = self._breakers[name] = CircuitBreaker(self._link, view, classify)
            self._views.add(view)
            sync = self._sync
        if sync is not None:
            sync.add(view)
        return breaker

    def _new_view(self, name: str, policy: CircuitPolicy, scope: Scope, timeout_s: float | None) -> View:
        return View(
            name, policy, replica=self.incarnation, clock=self.clock, scope=scope, timeout_s=timeout_s,
            stalled=self._link.lag.since,
        )  # fmt: skip

    # ---- reading ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[CircuitReport, ...]:
        """Every circuit of this process, from its cached state. A memory read."""
        return self._lifecycle.reader.snapshot()

    async def circuits(self) -> tuple[CircuitReport, ...]:
        """Every circuit of the fleet; this replica's cached state while the ledger is unreachable."""
        return await self._membership.at_home(self._read_circuits)

    def circuits_sync(self) -> tuple[CircuitReport, ...]:
        """`circuits` for synchronous code."""
        return self._membership.at_home_sync(self._read_circuits, "`await circuits()`")

    async def _read_circuits(self) -> tuple[CircuitReport, ...]:
        return await self._lifecycle.reader.circuits()

    async def fleet(self) -> FleetReport:
        """Every live replica, from its last heartbeat; only this one while the ledger is unreachable."""
        return await self._membership.at_home(self._read_fleet)

    def fleet_sync(self) -> FleetReport:
        """`fleet` for synchronous code."""
        return self._membership.at_home_sync(self._read_fleet, "`await fleet()`")

    async def _read_fleet(self) -> FleetReport:
        return await self._lifecycle.reader.fleet()

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
        return await self._membership.at_home(self._overriding.checked(name, mode, reason, by, for_s))

    def override_sync(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """`override` for synchronous code."""
        act = self._overriding.checked(name, mode, reason, by, for_s)
        return self._membership.at_home_sync(act, "`await override(...)`")

    async def end_override(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """Ends a circuit's override. Raises the same errors as `override`."""
        return await self._membership.at_home(lambda: self._overriding.set(name, None, reason, by))

    def end_override_sync(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """`end_override` for synchronous code."""
        return self._membership.at_home_sync(
            lambda: self._overriding.set(name, None, reason, by), "`await end_override(...)`"
        )

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
        await self._membership.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._membership.leave()

    def __enter__(self) -> Self:
        self._membership.enter_sync()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._membership.leave_sync()

    def _attach(self, sync: Sync) -> None:
        with self._lock:
            for view in self._views.all():
                sync.add(view)
            self._link.sync = sync

    # ---- forks ------------------------------------------------------------------------------------------------------

    def renew_in_child(self) -> None:
        """In a forked child: a new incarnation that has counted nothing yet. Calls that were under way at the fork
        count in the parent only.
        """
        self._lock = new_lock()
        self.incarnation = self._new_incarnation()
        self._lifecycle.renew_in_child(self.incarnation)
        for breaker in self._breakers.values():
            view = self._new_view(breaker.name, breaker.policy, breaker.scope, breaker.timeout_s)
            breaker.renew_in_child(view)
            self._views.add(view)

    def _new_incarnation(self) -> str:
        return f"{self.replica}~{secrets.token_hex(4)}"


def _check_same(known: CircuitBreaker, policy: CircuitPolicy | None) -> None:
    if policy is not None and policy != known.policy:
        raise ConfigurationError(
            f"circuit {known.name!r} already has a different policy; use one policy per circuit in a process"
        )
