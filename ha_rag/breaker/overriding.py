"""Overriding: sets and ends operators' overrides, of one process's circuits and of the fleet's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.breaker.report import CircuitReport, circuit_report, here, view_report
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerUnavailableError, UnknownCircuitError
from ha_rag.ledger.view.view import View

Read = Callable[[], Awaitable[tuple[CircuitReport, ...]]]


class Overriding:
    """Overrides circuits through `link`, on its event loop. `read`: reads every circuit of the fleet."""

    def __init__(self, link: FleetLink, read: Read) -> None:
        self._link = link
        self._read = read

    def checked(
        self, name: str, mode: OverrideMode | str, reason: str, by: str, for_s: float | None
    ) -> Callable[[], Awaitable[CircuitReport]]:
        """Sets an override when called. Raises ConfigurationError now, for an invalid mode or duration."""
        valid, for_ms = checked_mode(mode), checked_for_ms(for_s)
        return lambda: self.set(name, valid, reason, by, for_ms)

    async def set(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None = None
    ) -> CircuitReport:
        """Sets an override, or ends it: None."""
        link = self._link
        view, sync = await self._known(name), link.sync
        if view.scope == "fleet" and sync is None:
            raise LedgerUnavailableError(f"circuit {name!r} is shared with the fleet: enter the registry first")
        if sync is None or view.scope == "replica":
            view.override_locally(mode, reason, by, for_ms)
            link.publish_rulings(view)
            return view_report(view, link.clock.monotonic_s(), link.clock.unix_ms())
        reply = await sync.override(view, lambda ledger: ledger.override(name, view.terms, mode, reason, by, for_ms))
        return circuit_report(name, "fleet", reply.snapshot, here=here(view))

    async def _known(self, name: str) -> View:
        """The view of a circuit; a temporary one for a circuit used only by other replicas, whose policy then stays."""
        view = self._link.views.get(name)
        if view is not None:
            return view
        reports = {report.name for report in await self._read()}
        if name not in reports:
            raise UnknownCircuitError(name, tuple(sorted(reports)))
        return View(name, CircuitPolicy(), replica=self._link.replica, clock=self._link.clock)
