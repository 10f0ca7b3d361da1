"""Subscription: receives circuit changes from the ledger. Changes are pushed; polls cover lost messages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ha_rag.errors import LedgerError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import SUBSCRIBING
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Change


class Subscription:
    """Updates the views of one replica from the ledger. Used on one event loop."""

    def __init__(self, session: LedgerSession, background: BackgroundTasks, views: Views) -> None:
        self._session = session
        self._background = background
        self._views = views

    async def listen(self) -> None:
        """Receives pushed changes until the connection ends; then raises LedgerUnavailableError."""
        with self._session.denied_permissions.checked(SUBSCRIBING):
            async for change in self._session.ledger.changes():
                await self._receive(change)
        raise LedgerUnavailableError("the subscription to changes ended")

    async def _receive(self, change: Change | None) -> None:
        if change is None:  # now subscribed; earlier messages were missed
            self._session.denied_permissions.granted(SUBSCRIBING)
            await self.read_all()
        elif (view := self._views.get(change.circuit)) is not None:
            result = view.apply_message(change.snapshot, change.previous_epoch)
            self._session.on_reconciled(view, result)
            if result.needs_read:
                self._background.run(self.read_one(view))

    async def poll(self) -> None:
        """Waits for the poll interval, then reads every shared circuit."""
        session = self._session
        await asyncio.sleep(session.pace.poll_s * random.uniform(0.9, 1.1) if session.link.up else session.retry_s())
        await self.read_all()

    async def read_all(self) -> None:
        """Reads every shared circuit."""
        try:
            await self._read(self._views.shared())
        except LedgerError as error:
            self._session.on_unavailable(error)

    async def read_one(self, view: View) -> None:
        """Reads one circuit, if it is shared."""
        if view.scope == "replica":
            return
        try:
            await self._read([view])
        except ShardUnavailableError as error:
            self._session.on_shard_unavailable(view, str(error))
        except LedgerError as error:
            self._session.on_unavailable(error)

    async def _read(self, views: Sequence[View]) -> None:
        asked_s = self._session.now_s()
        replies = await self._session.ledger.read({view.name: view.terms for view in views})
        self._session.link.round_trip_s = self._session.now_s() - asked_s
        for view in views:
            if view.name in replies:
                self._session.on_read(view, replies[view.name])
            else:
                self._session.on_shard_unavailable(view, "the node that holds it does not answer")
