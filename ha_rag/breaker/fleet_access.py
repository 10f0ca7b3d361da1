"""FleetAccess: what a registry tells of its circuits and its fleet, and how operators override circuits. No calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_rag.circuit.state import OverrideMode
from ha_rag.sharing import Freshness

if TYPE_CHECKING:
    from ha_rag.breaker.link_lifecycle import LinkLifecycle
    from ha_rag.breaker.report import CircuitReport, FleetReport
    from ha_rag.breaker.told_by_replicas import ToldByReplicas
    from ha_rag.ledger.store.ledger import Ledger


class FleetAccess:
    """The circuits of one process and its fleet, apart from calls: the base of `CircuitRegistry`.

    Safe from any thread, task and event loop. The forms that end in `_sync` are for synchronous code.
    """

    def __init__(self, lifecycle: LinkLifecycle) -> None:
        from ha_rag.breaker.overriding import Overriding

        self._lifecycle = lifecycle
        self._link = lifecycle.link
        self._membership = lifecycle.membership
        self._overriding = Overriding(lifecycle.link, self._read_circuits, self._read_told)

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

    async def _read_told(self) -> ToldByReplicas:
        return await self._lifecycle.reader.told_by_others()

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
        sync = self._link.sync
        return sync.denied_permissions.current if sync is not None else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was heard from Redis and refused, since no replica can have written it. A memory read."""
        return self.ledger.refused_values.warnings() if self.ledger is not None else ()

    @property
    def ledger(self) -> Ledger | None:
        """The shared ledger, for reading only; None without Redis or before the registry is entered."""
        return self._link.sync.ledger if self._link.sync is not None else None

    @property
    def reaches_ledger(self) -> bool:
        """Whether the shared ledger answers at present; False without Redis. A memory read."""
        sync = self._link.sync
        return sync is not None and sync.link.up

    # ---- overrides --------------------------------------------------------------------------------------------------

    async def override(
        self, name: str, mode: OverrideMode | str, *, reason: str, by: str, for_s: float | None = None
    ) -> CircuitReport:
        """Overrides a circuit in every replica. `for_s`: seconds until the override expires, None: never.

        A circuit that each replica has for itself (scope "replica") is overridden in every replica, too: the order is
        kept in Redis. Without Redis it is this process's own. `unconfirmed` of the report: how many replicas have not
        confirmed yet; their next heartbeat does.
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
        return await self._membership.at_home(self._overriding.ending(name, reason, by))

    def end_override_sync(self, name: str, *, by: str, reason: str = "ended by hand") -> CircuitReport:
        """`end_override` for synchronous code."""
        return self._membership.at_home_sync(self._overriding.ending(name, reason, by), "`await end_override(...)`")
