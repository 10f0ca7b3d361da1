"""Probing: the ledger is asked for the probes that calls want, and told how they ended."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterable

from ha_rag.circuit.reply import Reply
from ha_rag.errors import LedgerError, LedgerUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.pace import RETRY_S
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.messages import Outcome


class Probing:
    """One replica's leases. Used on one event loop, but for what says otherwise."""

    def __init__(self, contact: Contact, background: BackgroundTasks) -> None:
        self._contact = contact
        self._background = background
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._orphaned: set[str] = set()
        """Circuits whose request was under way at the last look, without anybody being at work on it."""
        self._settling: set[asyncio.Task[None]] = set()

    # ---- asking -----------------------------------------------------------------------------------------------------

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks for a probe, once, shielded from whoever asks. A future that is done when the answer is in.

        Only on the loop itself; None elsewhere, or where there is no loop: the answer then waits for the next call.
        """
        if self._background.here:
            return self._begin(view)
        if not self._background.soon(lambda: self._begin(view)):
            view.lease_answered(None, "", self._contact.now_s())
        return None

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The request that is under way, for a call that comes meanwhile; None where there is none."""
        return self._under_way(view) if self._background.here else None

    def _under_way(self, view: View) -> asyncio.Task[None] | None:
        task = self._asked.get(view.name)
        return task if task is not None and not task.done() else None

    def ask_without_caller(self, view: View) -> None:
        """Asks although no call wants to probe, to see whether the ledger takes verbs again."""
        if view.begin_lease_request():
            self._begin(view)

    def mend(self, view: View) -> None:
        """Ends a request that a call began and never made, once two looks have seen it: a signal whose handler raises
        may strike between the two, and the replica would never ask again.
        """
        if view.gate.wait_for_answer(0) or self._under_way(view):
            self._orphaned.discard(view.name)
        elif view.name in self._orphaned:
            view.lease_answered(None, "", self._contact.now_s())
        else:
            self._orphaned.add(view.name)

    def _begin(self, view: View) -> asyncio.Task[None]:
        task = self._asked[view.name] = self._background.run(self._lease(view))
        return task

    async def _lease(self, view: View) -> None:
        contact = self._contact
        token, asked_s = uuid.uuid4().hex, contact.now_s()
        reply: Reply | None = None
        perhaps: Grant | None = None
        try:
            reply = await contact.ledger.lease(view.name, view.terms, contact.incarnation, view.fleet.epoch, token)
            if reply.granted:
                contact.taken(view, reply)
            else:
                contact.read(view, reply)  # a refusal writes nothing: no proof that what must be written is taken
        except LedgerError as error:
            contact.not_taken(view, error)
            if isinstance(error, LedgerUnavailableError):  # granted, it would take a place for a whole lease
                perhaps = Grant(token, asked_s + view.terms.lease_ms / 1000, view.fleet.epoch, False, asked_s)
        finally:
            unused = view.lease_answered(reply, token, asked_s) or perhaps
        if unused is not None:
            self._settle_soon(view, unused, Outcome.CANCELLED)

    # ---- settling ---------------------------------------------------------------------------------------------------

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> None:
        """Ends a probe that the ledger granted, also while the sync says goodbye. Safe from any thread."""
        self._background.soon(lambda: self._settle_soon(view, grant, outcome, throttled_ms, took_ms), last=True)

    def _settle_soon(
        self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0
    ) -> asyncio.Task[None]:
        task = self._background.run(self._settle(view, grant, outcome, throttled_ms, took_ms))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def _settle(
        self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0
    ) -> None:
        """Tries until the lease has ended by itself: a probe's word must not be lost to one lost packet or failover."""
        contact = self._contact
        while contact.now_s() < grant.until_s:
            try:
                reply = await contact.ledger.settle(
                    view.name,
                    view.terms,
                    contact.incarnation,
                    grant.token,
                    outcome,
                    throttled_ms,
                    random.random(),
                    took_ms,
                )
            except LedgerError as error:
                contact.not_taken(view, error)
                # Places that are given back can wait; there may be as many of those as replicas.
                given_back = outcome is Outcome.CANCELLED
                await asyncio.sleep(contact.retry_s() if given_back else random.uniform(*RETRY_S))
            else:
                contact.taken(view, reply)
                return

    # ---- giving back ------------------------------------------------------------------------------------------------

    def return_unused(self, view: View) -> None:
        """Gives back a grant that no call came for in time, and asks for a fresh one if one may still come."""
        if (grant := view.stale_grant()) is None:
            return
        given_back = self._settle_soon(view, grant, Outcome.CANCELLED)
        if view.begin_renewal():
            self._asked[view.name] = self._background.run(self._lease_after(given_back, view))

    async def _lease_after(self, given_back: asyncio.Task[None], view: View) -> None:
        await asyncio.wait({given_back})
        if self._background.is_open:
            await self._lease(view)

    def return_all(self, views: Iterable[View]) -> None:
        """Gives back every grant."""
        for view in views:
            if (grant := view.drop_grant()) is not None:
                self._settle_soon(view, grant, Outcome.CANCELLED)

    async def all_settled(self) -> None:
        """Waits until each probe's word has arrived, also those that come meanwhile."""
        while self._settling:
            await asyncio.wait(self._settling)
