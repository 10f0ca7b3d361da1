"""FleetLink: connects the breakers of one process to the ledger, if there is one, and to the event sinks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ha_rag.breaker.freshness import confirmed_s, freshness, worst
from ha_rag.breaker.loop_lag import LoopLag
from ha_rag.breaker.membership import Membership
from ha_rag.clock import Clock
from ha_rag.forks import left_to_parent
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from ha_rag.outcomes import Outcome
from ha_rag.sharing import Freshness

if TYPE_CHECKING:
    from ha_rag.events import Sink
    from ha_rag.ledger.sync import Sync

PROBE_WAIT_S = 0.05
"""How long a call waits to learn whether it may be the probe."""

JOINED_S = 1.0
"""A process that joined more recently than this may have joined for a single call, and leave before a second one."""

ROUND_TRIPS, MAX_PROBE_WAIT_S = 2.0, 0.3
"""A call that requests a lease so soon waits for this many round trips of the ledger, at most `MAX_PROBE_WAIT_S`."""

TIDY_S = 0.1
"""Interval at which the circuits local to this process are updated."""

TIDY_AT_ONCE = 50
"""Circuits updated before other tasks of the event loop have their turn."""


class FleetLink:
    """What the breakers of one process share. Safe across tasks and threads.

    `sync`: the connection to the ledger, None if there is none. `background`: tasks on the registry's event loop,
    while the registry is entered. `membership`: joins at the first call. `replica`: the name under which events are
    published.
    """

    def __init__(self, replica: str, clock: Clock, sinks: Iterable[Sink]) -> None:
        self.replica = replica
        self.clock = clock
        self.lag = LoopLag(clock)
        self.views = Views()
        self.sinks = list(sinks)
        self.background = BackgroundTasks()
        self.sync: Sync | None = None
        self.membership: Membership | None = None

    def renew_in_child(self) -> None:
        """In a forked child: no link, no circuits, no tasks."""
        left_to_parent(self.sync, self.background)
        self.lag.reset()
        self.views.renew_in_child()
        self.background = BackgroundTasks()
        self.sync = None

    def attach(self, sync: Sync) -> None:
        """Keeps the circuits in step through `sync` from now on."""
        self.sync = sync  # before the circuits are listed: one that is made meanwhile is added by whoever makes it
        for view in self.views.all():
            sync.add(view)

    def sync_soon(self, view: View) -> None:
        """Keeps a new circuit in step too, if there is a ledger."""
        if self.sync is not None:
            self.sync.add(view)

    # ---- used by breakers -------------------------------------------------------------------------------------------

    def first_use(self) -> bool:
        """Joins the fleet if that is due. Returns whether it is still joining, so that calls may wait for it."""
        return self.membership is not None and self.membership.use() is not None

    def stay_apart(self) -> None:
        """No call joins the fleet by itself any more."""
        if self.membership is not None:
            self.membership.stay_apart()

    async def joined_soon(self) -> None:
        """Joins the fleet if that is due, and waits a moment for it."""
        if self.membership is not None:
            await self.membership.joined_soon()

    def joined_soon_sync(self) -> None:
        """`joined_soon` for synchronous code."""
        if self.membership is not None:
            self.membership.joined_soon_sync()

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Requests a probe lease from the ledger, in the background."""
        if self.sync is not None:
            return self.sync.request_lease(view)
        view.lease_answered(None, "", self.clock.monotonic_s())
        return None

    @property
    def probe_wait_s(self) -> float:
        """How long the call that requests a probe lease waits for the reply."""
        if self.sync is None or self.clock.monotonic_s() - self.sync.joined_s > JOINED_S:
            return PROBE_WAIT_S
        return max(PROBE_WAIT_S, min(ROUND_TRIPS * self.sync.link.round_trip_s, MAX_PROBE_WAIT_S))

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The pending probe lease request, if any."""
        return self.sync.pending_lease_request(view) if self.sync is not None else None

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int, took_ms: int) -> None:
        """Settles the lease of a probe that ended."""
        if grant.local:
            view.settle_locally(grant, outcome, throttled_ms, took_ms)
            self.publish_rulings(view)
        elif self.sync is not None:
            self.sync.settle(view, grant, outcome, throttled_ms, took_ms)

    def report_soon(self, view: View) -> None:
        """Reports to the fleet soon: a failed or slow call was counted."""
        if self.membership is not None:
            self.membership.check_home()
            self.membership.use()
        if self.sync is not None and view.scope == "fleet":
            self.sync.report_soon(view)
        self.publish_rulings(view)

    def publish_rulings(self, view: View) -> None:
        """Publishes the rulings that this replica made locally."""
        decisions = view.take_unpublished()
        if not decisions:
            return
        from ha_rag.breaker.local_events import local_events
        from ha_rag.events import notify

        for decision in decisions:
            for event in local_events(decision, circuit=view.name, replica=self.replica, at_ms=self.clock.unix_ms()):
                notify(self.sinks, event)

    async def tidy_local(self) -> None:
        """Updates the circuits in use that are local to this process. Runs until cancelled."""
        while True:
            await asyncio.sleep(TIDY_S)
            local = [view for view in self.views.awake() if view.scope == "replica"]
            for number, view in enumerate(local, start=1):
                view.tick()
                self.publish_rulings(view)
                self.views.let_sleep(view)
                if number % TIDY_AT_ONCE == 0:
                    await asyncio.sleep(0)

    # ---- freshness of the cached state; memory reads ----------------------------------------------------------------

    def freshness(self, view: View) -> Freshness:
        """How current the cached state of one circuit is: "fresh", "stale" or "local"."""
        return freshness(view, self.sync, self.clock.monotonic_s())

    @property
    def shared_state(self) -> Freshness:
        """The worst freshness of the shared circuits in use."""
        return worst(self.views.awake_shared(), self.sync, self.clock.monotonic_s())

    @property
    def heard_ago_s(self) -> float | None:
        """Age of the oldest cached state of a shared circuit in use, in seconds; None if nothing is shared."""
        sync = self.sync
        if sync is None:
            return None
        confirmed = [confirmed_s(view, sync) for view in self.views.awake_shared()]
        return self.clock.monotonic_s() - min(confirmed) if confirmed else None
