"""LinkLifecycle: starts and stops a registry's link to the fleet on an event loop, as its membership asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.breaker.fleet_reader import FleetReader
from ha_rag.breaker.membership import Membership
from ha_rag.cancellation import end
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.sync import Sync

_of_parents: list[object] = []
"""Tasks of parent processes: if they were destroyed, they would end here."""


class LinkLifecycle:
    """The link of one registry, and the tasks that belong to it.

    `ledger`: makes the ledger to connect to, None without Redis. `attach`: gives the sync the registry's circuits.
    `body`: makes this replica's heartbeat body, as JSON text. `reader`: reads the fleet, through the present link.
    """

    def __init__(
        self,
        link: FleetLink,
        incarnation: str,
        *,
        ledger: Callable[[], Ledger] | None,
        attach: Callable[[Sync], None],
        body: Callable[[], str],
        joins_at_first_use: bool,
    ) -> None:
        self._link = link
        self._incarnation = incarnation
        self._ledger = ledger
        self._attach = attach
        self._body = body
        self._tasks: list[asyncio.Task[None]] = []
        self.reader = self._new_reader()
        self.membership = link.membership = Membership(
            self._join, self._leave, self._forsake, rejoins=ledger is not None, at_first_use=joins_at_first_use
        )

    def renew_in_child(self, incarnation: str) -> None:
        """In a forked child: a replica of its own, which has no link yet."""
        _of_parents.extend(self._tasks)
        self._incarnation, self._tasks = incarnation, []
        self.membership.renew_in_child()
        self._link.renew_in_child()
        self.reader = self._new_reader()

    def _new_reader(self) -> FleetReader:
        return FleetReader(self._link, self._incarnation, self._body)

    # ---- on the link's event loop -----------------------------------------------------------------------------------

    async def _join(self) -> None:
        link = self._link
        self.reader = self._new_reader()
        link.background.open()
        self._tasks += map(asyncio.ensure_future, (link.lag.watch(), link.tidy_local(), self._leave_with_the_loop()))
        if self._ledger is not None:
            sync = Sync(self._ledger(), self._incarnation, link.clock, sinks=link.sinks, body=self._body)
            self._attach(sync)
            await sync.start()
            self._tasks.append(asyncio.ensure_future(self.reader.watch_for_drift(sync)))

    async def _leave(self) -> None:
        link = self._link
        try:
            if link.sync is not None:
                await link.sync.stop()
        finally:
            link.sync = None  # not earlier: probes that end while the sync stops still report through it
            link.background.close()
            tasks, self._tasks = self._tasks, []
            await end(*(task for task in tasks if task is not asyncio.current_task()))

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
        link = self._link
        sync, link.sync = link.sync, None
        link.background.close()
        link.lag.reset()
        self._tasks = []
        if sync is not None:
            sync.detach_views()
        self._check_next_calls()

    def _check_next_calls(self) -> None:
        for view in self._link.views.all():
            view.gate.check_next()
