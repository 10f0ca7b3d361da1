"""Heartbeats: a replica reports that it is alive, and receives the number of live replicas, which sets its pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ha_rag import chance
from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import HEARTBEAT
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.sync.rotation import Rotation
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.views import Views

LIFE_BEATS = 5
"""A heartbeat is valid for this many intervals."""

NAMES_AT_ONCE, NAMES_BEATS = 100, 3600
"""A heartbeat names at least so many circuits, and all are named within this many heartbeats."""


class HeartbeatSender:
    """One replica's heartbeats, on one event loop.

    `body`: what it says of itself, as JSON text. `active_circuits`.
    """

    def __init__(
        self,
        session: LedgerSession,
        background: BackgroundTasks,
        views: Views,
        *,
        body: Callable[[], str],
        active_circuits: Callable[[], int],
    ) -> None:
        self._session = session
        self._background = background
        self._views = views
        self._body = body
        self._active_circuits = active_circuits
        self._in_turn = Rotation(NAMES_BEATS)
        self._beating = asyncio.Lock()

    async def round(self) -> None:
        """Waits for the heartbeat interval, then sends a heartbeat."""
        await asyncio.sleep(self._session.pace.beat_s * chance.between(0.9, 1.1))
        await self.beat()

    async def beat(self) -> None:
        """Sends a heartbeat. Raises LedgerError."""
        session = self._session
        names = self._names()
        life_ms = int(session.pace.beat_s * 1000 * LIFE_BEATS)
        try:
            async with self._beating:
                if not self._background.is_open:
                    return
                with session.denied_permissions.checked(HEARTBEAT):
                    replicas = await session.ledger.beat(session.incarnation, self._body(), names, life_ms)
        except LedgerUnavailableError as error:
            session.on_unavailable(error)
            raise
        session.pace = Pace(max(1, replicas), max(1, self._active_circuits()))
        for view in self._views.awake():
            view.set_spread(session.pace.spread_s)
        if not names:  # nothing is polled then, so only heartbeats show that the ledger is reachable
            session.on_available(None)

    def _names(self) -> list[str]:
        """The circuits in use, and some of the others in turn, so that all stay listed."""
        some = self._in_turn.next_of(self._views.all(), at_least=NAMES_AT_ONCE)
        return list(dict.fromkeys(view.name for view in [*self._views.awake(), *some] if view.scope == "fleet"))

    async def leave(self) -> None:
        """Removes the replica from the list."""
        async with self._beating:  # a heartbeat in flight would add the replica again
            await self._session.ledger.leave(self._session.incarnation)
