"""Overriding: sets and ends operators' overrides, of one process's circuits and of the fleet's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ha_rag.breaker.argument_checks import check_text
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.override_checks import checked_for_ms, checked_mode
from ha_rag.cancellation import gathered
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerUnavailableError, UnknownCircuitError
from ha_rag.ledger.view.view import View

if TYPE_CHECKING:
    from ha_rag.breaker.report import CircuitReport
    from ha_rag.breaker.told_by_replicas import ToldByReplicas
    from ha_rag.circuit.reply import Reply


class Overriding:
    """Overrides circuits through `link`, on its event loop.

    `read`: reads every circuit of the fleet. `told`: reads what the other replicas say of circuits.
    """

    def __init__(
        self,
        link: FleetLink,
        read: Callable[[], Awaitable[tuple[CircuitReport, ...]]],
        told: Callable[[], Awaitable[ToldByReplicas]],
    ) -> None:
        self._link = link
        self._read = read
        self._told = told

    def checked(
        self, name: str, mode: OverrideMode | str, reason: str, by: str, for_s: float | None
    ) -> Callable[[], Awaitable[CircuitReport]]:
        """Sets an override when called. Raises ConfigurationError now, for an invalid argument."""
        valid, for_ms = checked_mode(mode), checked_for_ms(for_s)
        check_text(name=name, reason=reason, by=by)
        return lambda: self._set(name, valid, reason, by, for_ms)

    def ending(self, name: str, reason: str, by: str) -> Callable[[], Awaitable[CircuitReport]]:
        """Ends an override when called. Raises ConfigurationError now, for an invalid argument."""
        check_text(name=name, reason=reason, by=by)
        return lambda: self._set(name, None, reason, by, None)

    async def _set(
        self, name: str, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> CircuitReport:
        from ha_rag.breaker.report import circuit_report, own_circuit_report, view_report

        link = self._link
        view, sync = await self._known(name), link.sync
        if sync is None:
            if view.scope == "fleet":
                raise LedgerUnavailableError(f"circuit {name!r} is shared with the fleet: enter the registry first")
            self._set_here(view, mode, reason, by, for_ms)
            return view_report(view, link.clock.monotonic_s(), link.clock.unix_ms())
        verb = sync.ledger.override if view.scope == "fleet" else sync.ledger.order
        # Together, since the order need not wait: no heartbeat so far can confirm it.
        reply: Reply
        told: ToldByReplicas
        reply, told = await gathered(
            sync.override(view, lambda _: verb(name, view.terms, mode, reason, by, for_ms)), self._told()
        )
        if view.scope == "replica" and mode is None and view.override() is not None:
            self._set_here(view, None, reason, by, None)  # set in this process, before it joined the fleet
        if link.views.get(name) is view:
            return told.added_to(view_report(view, link.clock.monotonic_s(), link.clock.unix_ms()))
        if view.scope == "replica":
            return told.added_to(own_circuit_report(name, reply.snapshot, told.worst(name)))
        return told.added_to(circuit_report(name, "fleet", reply.snapshot))

    def _set_here(self, view: View, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> None:
        view.override_locally(mode, reason, by, for_ms)
        self._link.publish_rulings(view)

    async def _known(self, name: str) -> View:
        """The view of a circuit; a temporary one for a circuit used only by other replicas, whose policy then stays."""
        view = self._link.views.get(name)
        if view is not None:
            return view
        reports = {report.name: report for report in await self._read()}
        if name not in reports:
            raise UnknownCircuitError(name, tuple(sorted(reports)))
        link, scope = self._link, reports[name].scope
        return View(name, CircuitPolicy(), replica=link.replica, clock=link.clock, scope=scope)
