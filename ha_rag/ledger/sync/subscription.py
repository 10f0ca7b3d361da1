"""Subscription: what the ledger says of the circuits. Changes are pushed; a poll catches what a push lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from ha_rag.errors import LedgerError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.denied_permissions import LISTENING
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views


class Subscription:
    """Brings the ledger's word to the views of one replica. Used on one event loop."""

    def __init__(self, contact: Contact, background: BackgroundTasks, views: Views) -> None:
        self._contact = contact
        self._background = background
        self._views = views

    async def listen(self) -> None:
        """Hears of changes for as long as the connection lives; then LedgerUnavailableError."""
        with self._contact.limits.trying(LISTENING):
            async for change in self._contact.ledger.changes():
                await self._hear(change)
        raise LedgerUnavailableError("the ledger stopped telling of changes")

    async def _hear(self, change: Change | None) -> None:
        if change is None:  # now listening: whatever was told before that was missed
            self._contact.limits.taken(LISTENING)
            await self.look_at_all()
        elif (view := self._views.get(change.circuit)) is not None:
            heard = view.apply_message(change.snapshot, change.previous_epoch)
            self._contact.heard(view, heard)
            if heard.needs_read:
                self._background.run(self.look_at(view))

    async def poll(self) -> None:
        """Waits for the interval, and looks."""
        contact = self._contact
        await asyncio.sleep(contact.pace.poll_s * random.uniform(0.9, 1.1) if contact.link.up else contact.retry_s())
        await self.look_at_all()

    async def look_at_all(self) -> None:
        """Reads every shared circuit."""
        try:
            await self._look(self._views.shared())
        except LedgerError as error:
            self._contact.lost(error)

    async def look_at(self, view: View) -> None:
        """Reads one circuit, if it is shared."""
        if view.scope == "replica":
            return
        try:
            await self._look([view])
        except ShardUnavailableError as error:
            self._contact.silent(view, str(error))
        except LedgerError as error:
            self._contact.lost(error)

    async def _look(self, views: Sequence[View]) -> None:
        replies = await self._contact.ledger.read({view.name: view.terms for view in views})
        for view in views:
            if view.name in replies:
                self._contact.read(view, replies[view.name])
            else:
                self._contact.silent(view, "the node that holds it does not answer")
