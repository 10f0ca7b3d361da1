"""Upkeep: the periodic work for each shared circuit, independent of calls."""

from __future__ import annotations

import asyncio

from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.sync.reporting import Reporting
from ha_rag.ledger.sync.rotation import Rotation
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

TICK_S = 0.1
"""Longest interval between two rounds, in seconds."""

AT_ONCE = 50
"""Circuits updated before other tasks of the event loop have their turn."""

EVERY_VIEW_ROUNDS = 600
"""Rounds in which all others are updated too, in case a call ended while its circuit fell asleep."""


class Upkeep:
    """The periodic work for the views of one replica. Used on one event loop."""

    def __init__(self, session: LedgerSession, views: Views, reporting: Reporting, probing: Probing) -> None:
        self._session = session
        self._views = views
        self._reporting = reporting
        self._probing = probing
        self._every_view = Rotation(EVERY_VIEW_ROUNDS)

    async def round(self) -> None:
        """Waits for the shortest flush interval, then updates each shared view in use, and a few of the others."""
        shared = self._views.awake_shared()
        await asyncio.sleep(min([TICK_S, *(view.policy.flush_interval_s for view in shared)]))
        now_and_then = [view for view in self._every_view.next_of(self._views.all()) if view.sleep.asleep]
        for number, view in enumerate([*shared, *now_and_then], start=1):
            if view.scope == "fleet":
                self._maintain(view)
                self._let_sleep(view)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _let_sleep(self, view: View) -> None:
        if self._views.let_sleep(view):
            self.forget(view)

    def forget(self, view: View) -> None:
        """Keeps nothing of a circuit that is not in use, until it is used again."""
        self._reporting.forget(view)
        self._probing.forget(view)

    def _maintain(self, view: View) -> None:
        if view.tick():
            self._reporting.report_soon(view)
        self._session.publisher.local_trip_changed(view)
        self._probing.reset_orphaned_request(view)
        self._probing.return_unused(view)
        if self._session.is_refused(view):
            if view.fleet.state is CircuitState.CLOSED:  # of others a report writes nothing, which proves nothing
                self._reporting.report_if_due(view)
        elif self._session.may_send(view):
            self._probing.request_ahead(view)
            self._reporting.report_if_due(view)
