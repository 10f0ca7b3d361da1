"""Probing: requests probe leases from the ledger, and reports how probes ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import Future

from ha_rag import chance
from ha_rag.circuit.reply import Reply
from ha_rag.errors import LedgerError, LedgerUnavailableError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks, running_loop
from ha_rag.ledger.sync.pace import RETRY_S
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.outcomes import Outcome


class Probing:
    """One replica's probe leases. Used on one event loop, except where noted."""

    def __init__(self, session: LedgerSession, background: BackgroundTasks) -> None:
        self._session = session
        self._background = background
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._orphaned: set[str] = set()
        """Circuits with an open request but no task that runs it, as of the last check."""
        self._settling: set[asyncio.Task[None]] = set()

    # ---- requesting -------------------------------------------------------------------------------------------------

    def request_lease(self, view: View) -> asyncio.Future[None] | None:
        """Requests a lease. Returns a future of the running event loop, done when there is a reply.

        Cancelling it does not cancel the request. Returns None without a running event loop.
        """
        if self._background.here:
            return self._start_request(view)
        if not self._background.soon(lambda: self._start_request(view)):
            view.lease_answered(None, "", self._session.now_s())
        return _on_running_loop(view.gate.answered)

    def pending_request(self, view: View) -> asyncio.Future[None] | None:
        """The pending request as a future of the running event loop; None if there is neither."""
        return self._running_request(view) if self._background.here else _on_running_loop(view.gate.answered)

    def _running_request(self, view: View) -> asyncio.Task[None] | None:
        task = self._requests.get(view.name)
        return task if task is not None and not task.done() else None

    def request_ahead(self, view: View) -> None:
        """Requests a lease for the next of sparse calls, which cannot wait for it."""
        if view.begin_request_ahead():
            self._start_request(view)

    def reset_orphaned_request(self, view: View) -> None:
        """Ends a request that a call marked as begun but never started, once two checks in a row have seen it.

        A signal handler that raises between the two steps causes this; the replica would never request a lease again.
        """
        if view.gate.answered.done() or self._running_request(view):
            self._orphaned.discard(view.name)
        elif view.name in self._orphaned:
            view.lease_answered(None, "", self._session.now_s())
        else:
            self._orphaned.add(view.name)

    def forget(self, view: View) -> None:
        """Forgets a circuit that fell asleep, until it is used again."""
        self._orphaned.discard(view.name)
        if self._running_request(view) is None:
            self._requests.pop(view.name, None)

    def _start_request(self, view: View) -> asyncio.Task[None]:
        task = self._requests[view.name] = self._background.run(self._lease(view))
        return task

    async def _lease(self, view: View) -> None:
        session = self._session
        token, asked_s, wanted = os.urandom(16).hex(), session.now_s(), view.lease_wanted()
        terms = wanted.of(view.terms)
        reply: Reply | None = None
        possible_grant: Grant | None = None
        try:
            reply = await session.ledger.lease(
                view.name, terms, session.incarnation, view.fleet.epoch, token, wanted.spare_ms
            )
            if reply.granted:
                session.on_accepted(view, reply)
            else:
                session.on_read(view, reply)  # a refused lease writes nothing, so it does not prove that writes work
        except LedgerError as error:
            session.on_failed(view, error)
            if isinstance(error, LedgerUnavailableError):  # it may have been granted, and would block others
                possible_grant = Grant(token, asked_s + wanted.total_ms / 1000, view.fleet.epoch, False, asked_s)
        finally:
            unused = view.lease_answered(reply, token, asked_s, wanted) or possible_grant
        if unused is not None:
            self._start_settling(view, unused, Outcome.CANCELLED)

    # ---- settling ---------------------------------------------------------------------------------------------------

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> None:
        """Reports a granted probe's outcome, also while the sync stops. Safe from any thread."""
        self._background.soon(lambda: self._start_settling(view, grant, outcome, throttled_ms, took_ms), last=True)

    def _start_settling(
        self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0
    ) -> asyncio.Task[None]:
        task = self._background.run(self._settle(view, grant, outcome, throttled_ms, took_ms))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def _settle(
        self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0
    ) -> None:
        """Retries until the lease expires, so that a lost packet or a failover does not lose a probe's outcome."""
        session = self._session
        while session.now_s() < grant.until_s:
            try:
                reply = await session.ledger.settle(
                    view.name,
                    view.terms,
                    session.incarnation,
                    grant.token,
                    outcome,
                    throttled_ms,
                    chance.draw(),
                    took_ms,
                )
            except LedgerError as error:
                session.on_failed(view, error)
                # Returned leases can wait: every replica may have one.
                is_return = outcome is Outcome.CANCELLED
                await asyncio.sleep(session.retry_s() if is_return else chance.between(*RETRY_S))
            else:
                session.on_accepted(view, reply)
                return

    # ---- returning --------------------------------------------------------------------------------------------------

    def return_unused(self, view: View) -> None:
        """Returns a grant that no call used in time, and requests a fresh one if a call may still come."""
        if (grant := view.stale_grant()) is None:
            return
        returned = self._start_settling(view, grant, Outcome.CANCELLED)
        if view.begin_renewal(is_alone=self._session.pace.replicas <= 1):
            self._requests[view.name] = self._background.run(self._lease_after(returned, view))

    async def _lease_after(self, returned: asyncio.Task[None], view: View) -> None:
        await asyncio.wait({returned})
        if self._background.is_open:
            await self._lease(view)

    def return_all(self, views: Iterable[View]) -> None:
        """Returns every unused grant."""
        for view in views:
            if (grant := view.drop_grant()) is not None:
                self._start_settling(view, grant, Outcome.CANCELLED)

    async def all_settled(self) -> None:
        """Waits until all outcomes have been reported, including those added meanwhile."""
        while self._settling:
            await asyncio.wait(self._settling)


def _on_running_loop(answered: Future[None]) -> asyncio.Future[None] | None:
    """`answered` as a future of the running event loop, which may be another one than the sync's."""
    loop = running_loop()
    return None if loop is None or answered.done() else asyncio.wrap_future(answered, loop=loop)
