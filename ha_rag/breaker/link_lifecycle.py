"""LinkLifecycle: starts and stops a registry's link to the fleet on an event loop, as its membership asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.membership import Membership
from ha_rag.cancellation import end
from ha_rag.forks import left_to_parent

if TYPE_CHECKING:
    from ha_rag.breaker.fleet_reader import FleetReader
    from ha_rag.ledger.store.ledger import Ledger


class LinkLifecycle:
    """The link of one registry, and the tasks that belong to it.

    `ledger`: makes the ledger to connect to, None without Redis. `body`: makes this replica's heartbeat body, as JSON
    text. `periodic`: what else runs, until cancelled, while the link is up.
    """

    def __init__(
        self,
        link: FleetLink,
        incarnation: str,
        *,
        ledger: Callable[[], Ledger] | None,
        body: Callable[[], str],
        periodic: Callable[[], Awaitable[None]],
        joins_at_first_use: bool,
    ) -> None:
        self.link = link
        self._incarnation = incarnation
        self._ledger = ledger
        self._body = body
        self._periodic = periodic
        self._tasks: list[asyncio.Task[None]] = []
        self._drift: asyncio.Task[None] | None = None
        self.membership = link.membership = Membership(
            self._join, self._leave, self._forsake, rejoins=ledger is not None, at_first_use=joins_at_first_use
        )

    @cached_property
    def reader(self) -> FleetReader:
        """Reads the fleet through the present link."""
        from ha_rag.breaker.fleet_reader import FleetReader

        return FleetReader(self.link, self._incarnation, self._body)

    def _renew_reader(self) -> None:
        self.__dict__.pop("reader", None)

    def renew_in_child(self, incarnation: str) -> None:
        """In a forked child: a replica of its own, which has no link yet."""
        left_to_parent(*self._tasks, self._drift)
        self._incarnation, self._tasks, self._drift = incarnation, [], None
        self.membership.renew_in_child()
        self.link.renew_in_child()
        self._renew_reader()

    # ---- on the link's event loop -----------------------------------------------------------------------------------

    async def _join(self) -> None:
        link = self.link
        self._renew_reader()
        link.background.open()
        periodic = (link.lag.watch(), link.tidy_local(), self._periodic(), self._leave_with_the_loop())
        self._tasks += map(asyncio.ensure_future, periodic)
        if self._ledger is not None:
            from ha_rag.ledger.sync import Sync

            sync = Sync(
                self._ledger(), self._incarnation, link.clock, sinks=link.sinks, body=self._body, views=link.views
            )
            link.attach(sync)
            await sync.start()
            self._drift = asyncio.ensure_future(self.reader.watch_for_drift(sync))

    async def _leave(self) -> None:
        link = self.link
        try:
            if link.sync is not None:
                try:
                    await self._end_reads()
                finally:
                    await link.sync.stop()
        finally:
            link.sync = None  # not earlier: probes that end while the sync stops still report through it
            link.background.close()
            tasks, self._tasks = self._tasks, []
            await end(*(task for task in tasks if task is not asyncio.current_task()))

    async def _end_reads(self) -> None:
        drift, self._drift = self._drift, None
        if drift is not None:
            await end(drift)
        await self.reader.end()

    async def _leave_with_the_loop(self) -> None:
        """Leaves if the event loop ends before the registry is left: `asyncio.run` cancels every task then."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.membership.lost():
                self._check_next_calls()
                await self._leave()
            raise

    # ---- from anywhere ----------------------------------------------------------------------------------------------

    def _forsake(self) -> None:
        """Drops a link whose event loop is gone."""
        link = self.link
        sync, link.sync = link.sync, None
        link.background.close()
        link.lag.reset()
        self._tasks, self._drift = [], None
        if sync is not None:
            sync.detach_views()
        self._check_next_calls()

    def _check_next_calls(self) -> None:
        for view in self.link.views.all():
            view.gate.check_next()
