"""Upkeep: the periodic work for each shared circuit, independent of calls."""

from __future__ import annotations

import asyncio

from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.sync.reporting import Reporting
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

TICK_S = 0.1
"""Longest interval between two rounds, in seconds."""


class Upkeep:
    """The periodic work for the views of one replica. Used on one event loop."""

    def __init__(self, session: LedgerSession, views: Views, reporting: Reporting, probing: Probing) -> None:
        self._session = session
        self._views = views
        self._reporting = reporting
        self._probing = probing

    async def round(self) -> None:
        """Waits for the shortest flush interval, then updates each shared view."""
        shared = self._views.shared()
        await asyncio.sleep(min([TICK_S, *(view.policy.flush_interval_s for view in shared)]))
        for view in shared:
            self._maintain(view)

    def _maintain(self, view: View) -> None:
        if view.tick():
            self._reporting.report_soon(view)
        self._session.publisher.local_trip_changed(view)
        self._probing.reset_orphaned_request(view)
        self._probing.return_unused(view)
        if not self._session.may_send(view):
            return
        if self._session.is_refused(view) and view.fleet.state is not CircuitState.CLOSED:
            # Only closed circuits are reported on, so a lease request is the only verb that can be retried.
            self._probing.request_lease_without_call(view)
            return
        self._probing.request_ahead(view)
        self._reporting.report_if_due(view)
