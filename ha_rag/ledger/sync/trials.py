"""Trials: whether a ledger that refused verbs takes them again: out of memory, read-only, a permission was missing.

Reads go on meanwhile, so they show nothing; and a circuit without calls has no verb to send, so this replica would
decide alone until its next one. Nothing is sent while no verb is refused.
"""

from __future__ import annotations

import asyncio

from ha_rag import chance
from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.pace import TRIALS
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

EVERY_S = 0.8
"""A circuit is not tried again within this time; less than the shortest interval, which would else be doubled."""


class Trials:
    """One replica's trials, on one event loop."""

    def __init__(self, session: LedgerSession, views: Views) -> None:
        self._session = session
        self._views = views

    async def round(self) -> None:
        """Waits for the interval, then tries circuits, longest ago first, until a few more were refused."""
        await asyncio.sleep(self._session.pace.trial_s * chance.between(0.9, 1.1))
        refusals = 0
        for name in self._session.refused():
            view = self._views.get(name)
            if view is None or not self._session.link.up or not self._session.may_send(view, EVERY_S):
                continue
            refusals += not await self._is_taken(view)
            if refusals == TRIALS:
                return

    async def _is_taken(self, view: View) -> bool:
        try:
            reply = await self._session.ledger.trial(view.name, view.terms)
        except LedgerError as error:
            self._session.on_failed(view, error)
            return False
        self._session.on_accepted(view, reply)
        return True
