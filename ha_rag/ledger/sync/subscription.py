"""Subscription: receives circuit changes from the ledger. Changes are pushed; polls cover lost messages.

A poll is one command for all circuits: it reads the log of changes, and then the circuits that changed. Some circuits
in use are read in any case, in turn, and all of them while the log does not tell everything: on a cluster, beside
replicas of 0.1.0, without the permission, or if entries were lost.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import CHANGE_LOG, SUBSCRIBING
from ha_rag.ledger.sync.rotation import Rotation
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Change, ChangeLog

POLLS_PER_TURN = 10
"""Every circuit in use is read at least once in this many polls."""

AT_ONCE = 50
"""Circuits read by one command, and idle circuits read per poll after the log of changes was lost."""


class Subscription:
    """Updates the views of one replica from the ledger. Used on one event loop."""

    def __init__(self, session: LedgerSession, background: BackgroundTasks, views: Views) -> None:
        self._session = session
        self._background = background
        self._views = views
        self._turns = Rotation(POLLS_PER_TURN)
        self._cursor: str | None = None
        self._wanted: dict[str, View] = {}
        """Circuits to be read soon, together."""
        self._unsure: deque[View] = deque()
        """Idle circuits that may have missed a change."""

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

    # ---- polling ----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Reads every circuit so far. From then on, the log tells what changes."""
        log = await self._read_log()
        await self.read_all()
        self._cursor = log.cursor if log is not None else None

    async def poll(self) -> None:
        """Waits for the poll interval, then reads the circuits that changed."""
        session = self._session
        await asyncio.sleep(session.pace.poll_s * random.uniform(0.9, 1.1) if session.link.up else session.retry_s())
        try:
            await self._poll_once()
        except LedgerError as error:
            session.on_unavailable(error)

    async def _poll_once(self) -> None:
        asked_s, was_up = self._session.now_s(), self._session.link.up
        more = True
        while more:
            log = await self._read_log()
            more = log is not None and log.more
            await self._read(self._to_read(log, was_up=was_up))
            if log is not None:
                self._cursor = log.cursor
                self._session.on_available(None)
        if log is not None and log.complete:
            self._session.confirmed_s = asked_s

    async def _read_log(self) -> ChangeLog | None:
        """The log since the last poll; None if there is none, or it may not be read."""
        try:
            with self._session.denied_permissions.checked(CHANGE_LOG):
                return await self._session.ledger.change_log(self._cursor)
        except LedgerRefusedError:
            return None

    def _to_read(self, log: ChangeLog | None, *, was_up: bool) -> list[View]:
        in_use = self._views.awake_shared()
        if log is None or log.gap or not log.complete or not was_up:
            if log is not None and log.gap:
                self._unsure.extend(view for view in self._views.shared() if view.sleep.asleep)
            return in_use
        wanted = [view for view in in_use if view.confirmed_s == -math.inf or view.ledger_unreachable]
        wanted += self._turns.next_of(in_use)
        wanted += [self._unsure.popleft() for _ in range(min(AT_ONCE, len(self._unsure)))]
        return list(dict.fromkeys([*wanted, *self._changed(log)]))

    def _changed(self, log: ChangeLog) -> Iterable[View]:
        """The circuits in the log, except those whose message was received."""
        for change in log.changes:
            view = self._views.get(change.circuit)
            is_news = view is not None and (view.fleet.epoch < change.epoch or change.previous_epoch == change.epoch)
            if view is not None and view.scope == "fleet" and is_news:
                yield view

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def read_all(self) -> None:
        """Reads every shared circuit in use."""
        try:
            await self._read(self._views.awake_shared())
        except LedgerError as error:
            self._session.on_unavailable(error)

    def read_soon(self, view: View) -> None:
        """Reads a circuit together with others that are wanted now. On the loop only."""
        if not self._wanted:
            self._background.run(self._read_wanted())
        self._wanted[view.name] = view

    async def _read_wanted(self) -> None:
        await asyncio.sleep(0)  # more may be wanted by then
        wanted, self._wanted = self._wanted, {}
        if len(wanted) == 1:
            await self.read_one(*wanted.values())
            return
        try:
            await self._read([view for view in wanted.values() if view.scope == "fleet"])
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
        for first in range(0, len(views), AT_ONCE):
            await self._read_some(views[first : first + AT_ONCE])

    async def _read_some(self, views: Sequence[View]) -> None:
        asked_s = self._session.now_s()
        replies = await self._session.ledger.read({view.name: view.terms for view in views})
        self._session.link.round_trip_s = self._session.now_s() - asked_s
        for view in views:
            if view.name in replies:
                self._session.on_read(view, replies[view.name])
            else:
                self._session.on_shard_unavailable(view, "the node that holds it does not answer")
