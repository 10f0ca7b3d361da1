"""CircuitRegistry: all circuits of one process, by name, and their shared link to the fleet.

    async with CircuitRegistry.connect("redis://localhost:6379/0", namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=5))

Without a URL the process decides alone, by the same rules. A synchronous program uses `with` instead of `async with`;
the sync then runs on a background thread. A registry with a URL that is not entered joins at its first call, and so
does a forked child of a process that had joined. Everything is safe from any thread, task and event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ha_rag import chance
from ha_rag.breaker.argument_checks import check_ledger, check_text, checked_sink, checked_sinks
from ha_rag.breaker.fleet_access import FleetAccess
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import UnknownCircuitError
from ha_rag.forks import renewed_in_child
from ha_rag.ledger.store.circuit_names import checked_circuit_name
from ha_rag.ledger.store.keys import Keys, checked_name
from ha_rag.sharing import Scope

if TYPE_CHECKING:
    from ha_rag.breaker.breaker import CircuitBreaker
    from ha_rag.breaker.breaker_settings import Classes
    from ha_rag.breaker.outcome import Classify, ClassifyResult
    from ha_rag.events import Sink
    from ha_rag.ledger.store.credentials import Credentials
    from ha_rag.ledger.store.ledger import Ledger
    from ha_rag.ledger.sync import Sync


class CircuitRegistry(FleetAccess):
    """The circuits of one process. Create it with `connect`; entering it joins the fleet, exiting it leaves.

    It may be entered several times: the last exit leaves. After that its circuits are local to this process.
    `joins_at_first_use`: whether a call joins the fleet if nobody has entered it; `connect(url)` sets it.
    `replica`: this process's name. `incarnation`: the name and a random part, unique even if two replicas share a name.
    `forget_after_s`: a circuit that no call has used for so long is forgotten by this process; None: never.
    `draw`: a random number in [0, 1), for jitter, ramps and shedding.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger] | None = None,
        *,
        replica: str | None = None,
        clock: Clock | None = None,
        sinks: Iterable[Sink] = (),
        forget_after_s: float | None = None,
        joins_at_first_use: bool = False,
        draw: Callable[[], float] = chance.draw,
    ) -> None:
        # Imported here: a program that imports the names of a circuit, but makes none, loads not even asyncio.
        from ha_rag.breaker.fleet_link import FleetLink
        from ha_rag.breaker.heartbeat import default_name
        from ha_rag.breaker.known_breakers import KnownBreakers
        from ha_rag.breaker.link_lifecycle import LinkLifecycle

        check_ledger(ledger)
        self.clock: Clock = clock or SystemClock()
        self.replica = checked_name("replica", replica or default_name())
        self.incarnation = self._new_incarnation()
        self.told: Callable[[], Mapping[str, Any]] = dict
        """Returns further heartbeat fields. Set by the application that embeds the registry."""
        link = FleetLink(self.replica, self.clock, checked_sinks(sinks))
        self._views = link.views
        self._breakers = KnownBreakers(
            link, self.incarnation, widest="replica" if ledger is None else "fleet", forget_after_s=forget_after_s,
            draw=draw,
        )  # fmt: skip
        lifecycle = LinkLifecycle(
            link, self.incarnation, ledger=ledger, body=self._body, periodic=self._breakers.forget_unused,
            joins_at_first_use=joins_at_first_use,
        )  # fmt: skip
        super().__init__(lifecycle)
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
        forget_after_s: float | None = None,
        credential_provider: Credentials | None = None,
    ) -> Self:
        """A registry over the Redis at `url` (redis, rediss, unix, redis+sentinel, redis+cluster); None: no Redis.

        Connects when entered, or at its first call. An unreachable Redis is not an error: the replica starts alone and
        joins later. `credential_provider`: gives the password for each new connection, as redis-py's
        `CredentialProvider` does, for a password that changes; the URL then has none.
        Raises ConfigurationError for an invalid URL, namespace or name.
        """
        check_text(namespace=namespace, **({} if url is None else {"url": url}))
        if url is None:
            return cls(None, replica=replica, clock=clock, sinks=sinks, forget_after_s=forget_after_s)
        # redis-py takes longer to import than all the rest: a process without a URL never does.
        from ha_rag.ledger.store.address import parse
        from ha_rag.ledger.store.connection import connect
        from ha_rag.ledger.store.credentials import checked
        from ha_rag.ledger.store.redis import RedisLedger

        checked(credential_provider, parse(url)), Keys(namespace)  # raises now, not when the registry is entered
        return cls(
            lambda: RedisLedger(connect(url, credential_provider=credential_provider), namespace),
            replica=replica, clock=clock, sinks=sinks, forget_after_s=forget_after_s, joins_at_first_use=True,
        )  # fmt: skip

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
        from ha_rag.breaker.breaker_settings import BreakerSettings

        settings = BreakerSettings.checked(
            policy=policy, scope=scope, timeout_s=timeout_s, classify=classify, classify_result=classify_result,
            ignore=ignore, record=record,
        )  # fmt: skip
        check_text(name=name)
        return self._breakers.get_or_make(name, settings)

    def update(self, name: str, policy: CircuitPolicy) -> CircuitBreaker:
        """Applies another policy to a breaker of this process (`CircuitBreaker.update_policy`), and returns it.

        `breaker(name, policy)` then accepts both the first policy and the current one. Raises UnknownCircuitError.
        """
        known = self._breakers.get(name)
        if known is None:
            raise UnknownCircuitError(name, self._breakers.names())
        known.update_policy(policy)
        return known

    async def remove(self, name: str) -> None:
        """Deletes a circuit that is no longer needed, here and in Redis. Raises LedgerError.

        A call through a breaker of that name brings it back, here or in a replica that still knows it.
        """
        breaker = self._breakers.get(checked_circuit_name(name))
        if breaker is not None:
            self._breakers.forget(breaker, in_use=True)
        if breaker is None or breaker.scope == "fleet":
            await self._membership.at_home(lambda: self._remove_shared(name))

    async def _remove_shared(self, name: str) -> None:
        if self._sync is not None:
            await self._sync.ledger.remove(name)

    # ---- events and heartbeats --------------------------------------------------------------------------------------

    def add_sink(self, sink: Sink) -> None:
        """Sends every later event to `sink` too."""
        self._link.sinks.append(checked_sink(sink))

    def _body(self) -> str:
        from ha_rag.breaker.heartbeat import body

        return body(self.replica, self.shared_state, self._views.awake(), {"limits": self.limits, **self.told()})

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

    def renew_in_child(self) -> None:
        """In a forked child: a new incarnation that has counted nothing yet. Calls that were under way at the fork
        count in the parent only.
        """
        self.incarnation = self._new_incarnation()
        self._lifecycle.renew_in_child(self.incarnation)
        self._breakers.renew_in_child(self.incarnation)

    def _new_incarnation(self) -> str:
        return f"{self.replica}~{os.urandom(4).hex()}"
