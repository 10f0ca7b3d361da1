"""Sync: keeps one replica in step with the ledger; starts and stops its parts.

Five loops run on one event loop: subscription, poll, upkeep (which reports), trials and heartbeat. Probe leases are
requested and settled on demand. Calls never wait for any of this, except those that may become the probe of a half-open
circuit.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import DeniedPermissions
from ha_rag.ledger.sync.heartbeat import HeartbeatSender
from ha_rag.ledger.sync.link import Link
from ha_rag.ledger.sync.loops import run_forever, run_once
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.sync.reporting import Reporting
from ha_rag.ledger.sync.restoring import Restoring
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.sync.subscription import Subscription
from ha_rag.ledger.sync.trials import Trials
from ha_rag.ledger.sync.upkeep import Upkeep
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from ha_rag.outcomes import Outcome

if TYPE_CHECKING:
    from ha_rag.events import Sink
    from ha_rag.ledger.store.ledger import Ledger

STOP_S = 0.5
"""Time limit for the last reports when a replica stops."""

CURRENT_POLLS = 1.5
"""A circuit that wakes is read, unless it was confirmed within this many poll intervals."""


class Sync:
    """Connects one replica's views with the ledger. Call `start` and `stop` on the loop, the rest from any thread.

    `body`: returns the replica's self-description for its heartbeats, as JSON text. `views`: the circuits to begin
    with, to which `add` adds.
    """

    def __init__(
        self,
        ledger: Ledger,
        incarnation: str,
        clock: Clock,
        *,
        sinks: Iterable[Sink] = (),
        body: Callable[[], str] = str,
        views: Views | None = None,
    ) -> None:
        self.ledger = ledger
        self.joined_s = -math.inf
        """When all circuits had been read (monotonic)."""
        self._views = Views() if views is None else views
        self._background = BackgroundTasks()
        self._session = LedgerSession(
            ledger, incarnation, clock, views=self._views, sinks=sinks, restore=self._restore_soon
        )
        self._subscription = Subscription(self._session, self._background, self._views)
        self._reporting = Reporting(self._session, self._background)
        self._probing = Probing(self._session, self._background)
        self._restoring = Restoring(self._session)
        self._trials = Trials(self._session, self._views)
        self._upkeep = Upkeep(self._session, self._views, self._reporting, self._probing)
        self._heartbeat = HeartbeatSender(
            self._session, self._background, self._views, body=body, active_circuits=self._reporting.active_circuits
        )

    # ---- status -----------------------------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        """Whether the ledger is reachable."""
        return self._session.link

    @property
    def pace(self) -> Pace:
        """The intervals of this replica."""
        return self._session.pace

    @property
    def confirmed_s(self) -> float:
        """When all cached snapshots were last known to miss no change (monotonic); minus infinity: never."""
        return self._session.confirmed_s

    @property
    def denied_permissions(self) -> DeniedPermissions:
        """Permissions that Redis denies, apart from the circuits' verbs."""
        return self._session.denied_permissions

    @property
    def unpublished(self) -> int:
        """Number of changes whose event or message Redis refused to publish."""
        return self._session.unpublished

    # ---- lifecycle --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads all circuits once, so that the first call sees their state, then starts the loops. Never fails."""
        self._background.open()
        self._views.on_wake.append(self._woken)
        await run_once(self._heartbeat.beat)
        await run_once(self._subscription.begin)
        self.joined_s = self._session.now_s()
        steps = (self._subscription.listen, self._subscription.poll, self._upkeep.round, self._trials.round)
        for step in (*steps, self._heartbeat.round):
            self._background.run(run_forever(step, self._session.retry_s))

    async def stop(self) -> None:
        """Sends the last reports, returns leases and removes the replica from the list. Never fails."""
        if not self._background.close():
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._leave_fleet()
        finally:
            await self._background.end()
            self.detach_views()
            with contextlib.suppress(LedgerError):
                await self.ledger.aclose()

    async def _leave_fleet(self) -> None:
        if not self.link.up:
            return
        shared = self._views.awake_shared()
        self._probing.return_all(shared)
        if self.link.ledger_now_ms() is None:  # no reply so far, but reports need the ledger's time
            await self._subscription.read_all()
        await asyncio.gather(*map(self._reporting.report_remaining, shared))
        with contextlib.suppress(LedgerError):
            await self._heartbeat.leave()
        await self._probing.all_settled()  # last, because probes may still end during the steps above

    def detach_views(self) -> None:
        """Breakers that are used after their registry was left decide locally."""
        if self._woken in self._views.on_wake:
            self._views.on_wake.remove(self._woken)
        for view in self._views.shared():
            view.lease_answered(None, "", self._session.now_s())
            view.set_ledger_unreachable(True)

    # ---- calls and operators ----------------------------------------------------------------------------------------

    def add(self, view: View) -> None:
        """Adds a view to keep in step. Safe from any thread."""
        self._views.add(view)
        self._woken(view)

    def _woken(self, view: View) -> None:
        view.set_spread(self.pace.spread_s)
        self._background.soon(lambda: self._read_soon(view))

    def _read_soon(self, view: View) -> None:
        if not self.link.up:
            view.set_ledger_unreachable(True)
        if not self._is_current(view):
            self._subscription.read_soon(view)

    def _is_current(self, view: View) -> bool:
        """Whether the last polls show that the cached snapshot misses no change, although it was not read."""
        is_known = view.confirmed_s > -math.inf and not view.ledger_unreachable
        return is_known and self._session.now_s() - self.confirmed_s <= CURRENT_POLLS * self.pace.poll_s

    def forget(self, view: View) -> None:
        """Keeps nothing of a circuit that this replica forgot. Safe from any thread."""
        self._background.soon(lambda: self._upkeep.forget(view))

    def report_soon(self, view: View) -> None:
        """Reports a failure without waiting for the interval."""
        self._reporting.report_soon(view)

    def request_lease(self, view: View) -> asyncio.Future[None] | None:
        """Requests a probe lease; see `Probing.request_lease`."""
        return self._probing.request_lease(view)

    def pending_lease_request(self, view: View) -> asyncio.Future[None] | None:
        """The running lease request, which another call may await; None if there is none."""
        return self._probing.pending_request(view)

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> None:
        """Reports a granted probe's outcome and ends its lease. Safe from any thread."""
        self._probing.settle(view, grant, outcome, throttled_ms, took_ms)

    async def read(self, wanted: Mapping[str, Terms]) -> Mapping[str, Reply]:
        """Reads circuits, including those this replica does not use; updates its own views with the result."""
        replies = await self.ledger.read(wanted)
        for name, reply in replies.items():
            view = self._views.get(name)
            if view is not None:
                self._session.on_read(view, reply)
        return replies

    async def override(self, view: View, verb: Callable[[Ledger], Awaitable[Reply]]) -> Reply:
        """Sets or ends an operator's override or order in the ledger. Raises LedgerError if it was not applied."""
        reply = await verb(self.ledger)
        self._session.on_accepted(view, reply)
        return reply

    def _restore_soon(self, view: View) -> None:
        self._background.run(self._restoring.restore(view))
