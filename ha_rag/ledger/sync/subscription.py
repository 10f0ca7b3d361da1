"""Subscription: receives circuit changes from the ledger. Changes are pushed; polls cover lost messages.

Any client may publish, so what a message says is read from the ledger by the next poll, which believes the ledger.

A poll is one command for all circuits: it reads the log of changes, and then the circuits that changed. Some circuits
in use are read in any case, in turn, and all of them while the log does not tell everything: on a cluster, beside
replicas of 0.1.0, without the permission, or if entries were lost.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ha_rag import chance
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.store.refused_values import INVALID
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import CHANGE_LOG, SUBSCRIBING
from ha_rag.ledger.sync.message_trust import MessageTrust
from ha_rag.ledger.sync.ordering import record_order_ends
from ha_rag.ledger.sync.rotation import Rotation
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.cached_snapshot import Intact
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

if TYPE_CHECKING:
    from ha_rag.circuit.reply import Reply
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
        self._intact_since_s = math.inf
        """Since when the ledger is known to have lost nothing (monotonic): the subscription, which a failover ends,
        began then, and the log of changes had no gap after that. Infinity: not subscribed."""
        self._trust = MessageTrust(session)
        self._hinted: dict[View, None] = {}
        """Circuits that a message named, to be read by the next poll."""
        self._unsure: deque[View] = deque()
        """Idle circuits that may have missed a change."""

    async def listen(self) -> None:
        """Receives pushed changes until the connection ends; then raises LedgerUnavailableError."""
        try:
            with self._session.denied_permissions.checked(SUBSCRIBING):
                async for change in self._session.ledger.changes():
                    await self._receive(change)
        finally:
            self._intact_since_s = math.inf
        raise LedgerUnavailableError("the subscription to changes ended")

    async def _receive(self, change: Change | None) -> None:
        if change is None:  # now subscribed; earlier messages were missed
            self._intact_since_s = self._session.now_s()
            self._session.denied_permissions.granted(SUBSCRIBING)
            await self.read_all()
        elif (view := self._views.get(change.circuit)) is not None:
            self._apply(view, change)

    def _apply(self, view: View, change: Change) -> None:
        if not self._trust.is_credible(change):
            self._read_if_allowed(view)
            return
        result = view.apply_message(change.snapshot, change.previous_epoch)
        self._session.on_reconciled(view, result)
        if result.needs_read:
            self._read_if_allowed(view)
        elif result.to_confirm:
            self._hinted[view] = None
        elif view.is_unconfirmed and view.sleep.asleep:
            self._unsure.append(view)

    def _read_if_allowed(self, view: View) -> None:
        """Reads a circuit because of a message; if there are too many, with the next poll."""
        if self._trust.may_read():
            self.read_soon(view)
        elif view not in self._hinted:
            self._hinted[view] = None

    # ---- polling ----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Reads every circuit so far. From then on, the log tells what changes."""
        log = await self._read_log()
        await self.read_all()
        self._cursor = log.cursor if log is not None else None

    async def poll(self) -> None:
        """Waits for the poll interval, then reads the circuits that changed."""
        session = self._session
        await asyncio.sleep(session.pace.poll_s * chance.between(0.9, 1.1) if session.link.up else session.retry_s())
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
            if not was_up or (log is not None and log.gap):
                self._intact_since_s = max(self._intact_since_s, self._session.now_s())
            intact = Intact(self._intact_since_s, self._session.now_s())
            await self._read(self._to_read(log, was_up=was_up), intact)
            if log is not None:
                self._cursor = log.cursor
                self._session.on_available(None)
        if log is not None and log.complete:
            self._session.confirmed_s = asked_s
        await record_order_ends(self._session, self._views.awake())

    async def _read_log(self) -> ChangeLog | None:
        """The log since the last poll; None if there is none, or it may not be read."""
        try:
            with self._session.denied_permissions.checked(CHANGE_LOG):
                return await self._session.ledger.change_log(self._cursor)
        except LedgerRefusedError:
            return None

    def _to_read(self, log: ChangeLog | None, *, was_up: bool) -> list[View]:
        in_use = self._views.awake()
        if log is None or log.gap or not log.complete or not was_up:
            if log is not None and log.gap:
                self._unsure.extend(view for view in self._views.all() if view.sleep.asleep)
            return in_use
        hinted, self._hinted = list(self._hinted), {}
        wanted = [view for view in in_use if _must_be_read(view)] + hinted
        wanted += self._turns.next_of(in_use)
        wanted += [self._unsure.popleft() for _ in range(min(AT_ONCE, len(self._unsure)))]
        return list(dict.fromkeys([*wanted, *self._changed(log)]))

    def _changed(self, log: ChangeLog) -> Iterable[View]:
        """The circuits in the log, except those whose message was received."""
        for change in log.changes:
            view = self._views.get(change.circuit)
            is_news = view is not None and (view.received_epoch < change.epoch or change.previous_epoch == change.epoch)
            if view is not None and is_news:
                yield view

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def read_all(self) -> None:
        """Reads every circuit in use: the shared ones, and the orders over those of this replica alone."""
        try:
            await self._read(self._views.awake())
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
            await self._read(list(wanted.values()))
        except LedgerError as error:
            self._session.on_unavailable(error)

    async def read_one(self, view: View) -> None:
        """Reads one circuit."""
        try:
            await self._read([view])
        except ShardUnavailableError as error:
            self._session.on_shard_unavailable(view, str(error))
        except LedgerError as error:
            self._session.on_unavailable(error)

    async def _read(self, views: Sequence[View], intact: Intact | None = None) -> None:
        """Reads circuits. `intact`: while the ledger is known to have lost nothing; None: unknown."""
        for first in range(0, len(views), AT_ONCE):
            await self._read_some(views[first : first + AT_ONCE], intact)

    async def _read_some(self, views: Sequence[View], intact: Intact | None) -> None:
        session = self._session
        asked_s = session.now_s()
        replies = await self._replies(views)
        session.link.round_trip_s = session.now_s() - asked_s
        for view in views:
            if view.name in replies:
                session.on_read(view, replies[view.name], intact)
            elif (why := session.ledger.refused_values.reason(view.name)) is not None:
                session.on_available(None)
                session.on_failed(view, LedgerRefusedError(f"{INVALID} circuit {view.name!r} in Redis: {why}"))
            else:
                session.on_shard_unavailable(view, "the node that holds it does not answer")

    async def _replies(self, views: Sequence[View]) -> Mapping[str, Reply]:
        """The replies, without those of circuits whose stored state is refused."""
        try:
            return await self._session.ledger.read({view.name: view.terms for view in views})
        except LedgerRefusedError as error:
            if error.code != INVALID:
                raise
            return {}


def _must_be_read(view: View) -> bool:
    """Whether a circuit in use is read by the next poll in any case."""
    return view.confirmed_s == -math.inf or view.ledger_unreachable or view.is_unconfirmed
