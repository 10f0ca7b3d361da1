"""Upkeep: what each shared circuit wants done every tenth of a second, whether or not anybody calls."""

from __future__ import annotations

import asyncio

from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.sync.reporting import Reporting
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

TIDY_S = 0.1
"""How often, at least, a view is tidied, however seldom it reports."""


class Upkeep:
    """Looks after the views of one replica. Used on one event loop."""

    def __init__(self, contact: Contact, views: Views, reporting: Reporting, probing: Probing) -> None:
        self._contact = contact
        self._views = views
        self._reporting = reporting
        self._probing = probing

    async def round(self) -> None:
        """Waits for the shortest interval, and looks after each."""
        shared = self._views.shared()
        await asyncio.sleep(min([TIDY_S, *(view.policy.flush_interval_s for view in shared)]))
        for view in shared:
            self._look_after(view)

    def _look_after(self, view: View) -> None:
        if view.tick():
            self._reporting.soon(view)
        self._contact.publisher.overlay(view)
        self._probing.mend(view)
        self._probing.return_unused(view)
        if not self._contact.may_try(view):
            return
        if self._contact.is_refused(view) and view.fleet.state is not CircuitState.CLOSED:
            # Nothing is reported of a circuit that is not closed; a probe is the one verb there is to try.
            self._probing.ask_without_caller(view)
        else:
            self._reporting.if_due(view)
