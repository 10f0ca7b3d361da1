"""FleetLink: connects the breakers of one process with the ledger, where there is one, and with those who listen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ha_rag.breaker.freshness import freshness, worst
from ha_rag.breaker.local_events import own_event
from ha_rag.breaker.loop_lag import LoopLag
from ha_rag.clock import Clock
from ha_rag.events import Sink, notify
from ha_rag.ledger.sync import Sync
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from ha_rag.messages import Outcome
from ha_rag.sharing import Freshness

TIDY_S = 0.1
"""How often the circuits of this process alone are looked after."""


class FleetLink:
    """What the breakers of one process share. Safe across tasks and threads.

    `sync`: the link to the ledger; None while there is none. `background`: tasks on the registry's event loop,
    while the registry is entered. `replica`: the name under which its events are published.
    """

    def __init__(self, replica: str, clock: Clock, sinks: Iterable[Sink]) -> None:
        self.replica = replica
        self.clock = clock
        self.lag = LoopLag(clock)
        self.views = Views()
        self.sinks = list(sinks)
        self.background = BackgroundTasks()
        self.sync: Sync | None = None

    # ---- what breakers want of it -----------------------------------------------------------------------------------

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks the ledger for a probe, in the background."""
        if self.sync is not None:
            return self.sync.ask(view)
        view.lease_answered(None, "", self.clock.monotonic_s())
        return None

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The request for a probe that is under way."""
        return self.sync.asked(view) if self.sync is not None else None

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int, took_ms: int) -> None:
        """A probe ended."""
        if grant.local:
            view.settle_locally(grant, outcome, throttled_ms, took_ms)
            self.tell(view)
        elif self.sync is not None:
            self.sync.settle(view, grant, outcome, throttled_ms, took_ms)

    def learned(self, view: View) -> None:
        """A call failed, or took too long, and counted: the fleet should know at once."""
        if self.sync is not None and view.scope == "fleet":
            self.sync.report_soon(view)
        self.tell(view)

    def tell(self, view: View) -> None:
        """Tells of what this replica's own law ruled."""
        for ruling in view.take_unpublished():
            for transition in ruling.events:
                at_ms = self.clock.unix_ms()
                event = own_event(transition, circuit=view.name, replica=self.replica, at_ms=at_ms)
                notify(self.sinks, event)

    async def tidy_own(self) -> None:
        """Keeps the circuits of this process alone up to date, as the sync does with shared ones. Never ends."""
        while True:
            await asyncio.sleep(TIDY_S)
            for view in self.views.all():
                if view.scope == "replica":
                    view.tick()
                    self.tell(view)

    # ---- how fresh the beliefs are; memory reads --------------------------------------------------------------------

    def freshness(self, view: View) -> Freshness:
        """How much of the fleet's belief is in one circuit: "fresh", "stale" or "local"."""
        return freshness(view, self.sync, self.clock.monotonic_s())

    @property
    def shared_state(self) -> Freshness:
        """The same of the worst of the shared circuits."""
        return worst(self.views.shared(), self.sync, self.clock.monotonic_s())

    @property
    def heard_ago_s(self) -> float | None:
        """Age of the oldest belief on a shared circuit, in seconds; None where nothing is shared."""
        heard = [view.confirmed_s for view in self.views.shared()]
        return self.clock.monotonic_s() - min(heard) if heard and self.sync is not None else None
