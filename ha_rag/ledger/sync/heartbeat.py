"""Heartbeats: a replica reports that it is alive, and learns how many replicas share the load on Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.denied_permissions import HEARTBEAT
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.view.views import Views

LIFE_BEATS = 5
"""For so many intervals a heartbeat counts."""


class HeartbeatSender:
    """One replica's heartbeats, on one event loop.

    `body`: what it says of itself, as JSON text. `busy`: how many circuits it reports on.
    """

    def __init__(
        self,
        contact: Contact,
        background: BackgroundTasks,
        views: Views,
        *,
        body: Callable[[], str],
        busy: Callable[[], int],
    ) -> None:
        self._contact = contact
        self._background = background
        self._views = views
        self._body = body
        self._busy = busy
        self._beating = asyncio.Lock()

    async def round(self) -> None:
        """Waits for the interval, and beats."""
        await asyncio.sleep(self._contact.pace.beat_s * random.uniform(0.9, 1.1))
        await self.beat()

    async def beat(self) -> None:
        """Says that this replica lives. Raises LedgerError."""
        contact = self._contact
        names = [view.name for view in self._views.shared()]
        life_ms = int(contact.pace.beat_s * 1000 * LIFE_BEATS)
        try:
            async with self._beating:
                if not self._background.is_open:
                    return
                with contact.limits.trying(HEARTBEAT):
                    replicas = await contact.ledger.beat(contact.incarnation, self._body(), names, life_ms)
        except LedgerUnavailableError as error:
            contact.lost(error)
            raise
        contact.pace = Pace(max(1, replicas), max(1, self._busy()))
        for view in self._views.all():
            view.set_spread(contact.pace.spread_s)
        if not names:  # nothing is polled then: a beat that is taken is all there is to know the link by
            contact.answered(None)

    async def leave(self) -> None:
        """Takes the replica off the list."""
        async with self._beating:  # a beat under way would put the replica on the list again
            await self._contact.ledger.leave(self._contact.incarnation)
