"""Sync: starts and stops what keeps one replica and the ledger in step, and takes what calls want of it.

Four loops run on one event loop: listening to pushed changes, polling behind them, upkeep (which reports), and
beating. Probes are asked for and settled beside them, when calls want it. Calls never wait for any of it, but for the
few that may be the probe of a half-open circuit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError
from ha_rag.events import Sink
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.denied_permissions import DeniedPermissions
from ha_rag.ledger.sync.heartbeat import HeartbeatSender
from ha_rag.ledger.sync.link import Link
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.sync.reporting import Reporting
from ha_rag.ledger.sync.restoring import Restoring
from ha_rag.ledger.sync.rounds import forever, once
from ha_rag.ledger.sync.subscription import Subscription
from ha_rag.ledger.sync.upkeep import Upkeep
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from ha_rag.messages import Outcome

STOP_S = 0.5
"""How long the last reports may take when a replica stops."""


class Sync:
    """The link between one replica's views and the ledger. `start` and `stop` on the loop; the rest from any thread.

    `body`: what the replica says of itself in each heartbeat, as JSON text.
    """

    def __init__(
        self,
        ledger: Ledger,
        incarnation: str,
        clock: Clock,
        *,
        sinks: Iterable[Sink] = (),
        body: Callable[[], str] = str,
    ) -> None:
        self.ledger = ledger
        self._views = Views()
        self._background = BackgroundTasks()
        self._contact = Contact(ledger, incarnation, clock, views=self._views, sinks=sinks, forgot=self._restore_soon)
        self._subscription = Subscription(self._contact, self._background, self._views)
        self._reporting = Reporting(self._contact, self._background)
        self._probing = Probing(self._contact, self._background)
        self._restoring = Restoring(self._contact)
        self._upkeep = Upkeep(self._contact, self._views, self._reporting, self._probing)
        self._heartbeat = HeartbeatSender(
            self._contact, self._background, self._views, body=body, busy=self._reporting.busy
        )

    # ---- what others may see ----------------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        """Whether the ledger can be reached."""
        return self._contact.link

    @property
    def pace(self) -> Pace:
        """How often this replica talks to it."""
        return self._contact.pace

    @property
    def limits(self) -> DeniedPermissions:
        """What the ledger refuses beside the verbs of a circuit."""
        return self._contact.limits

    @property
    def unpublished(self) -> int:
        """Steps whose event or message the ledger refused to pass on."""
        return self._contact.unpublished

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Looks once, so that the first call already knows, and goes on in the background. Never fails."""
        self._background.open()
        await once(self._heartbeat.beat)
        await once(self._subscription.look_at_all)
        for round_ in (self._subscription.listen, self._subscription.poll, self._upkeep.round, self._heartbeat.round):
            self._background.run(forever(round_, self._contact.retry_s))

    async def stop(self) -> None:
        """Sends what is left, gives probes back, takes the replica off the list. Bounded, never fails."""
        if not self._background.close():
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._leave_fleet()
        finally:
            await self._background.end()
            self._detach_views()
            with contextlib.suppress(LedgerError):
                await self.ledger.aclose()

    async def _leave_fleet(self) -> None:
        if not self.link.up:
            return
        shared = self._views.shared()
        self._probing.return_all(shared)
        if self.link.ledger_now_ms() is None:  # it leaves before it has heard anything: what it counted needs a time
            await self._subscription.look_at_all()
        await asyncio.gather(*map(self._reporting.report_rest, shared))
        with contextlib.suppress(LedgerError):
            await self._heartbeat.leave()
        await self._probing.all_settled()  # last, since probes may end meanwhile

    def _detach_views(self) -> None:
        """Whoever goes on using a breaker after its registry has been left is alone, and knows it."""
        for view in self._views.shared():
            view.lease_answered(None, "", self._contact.now_s())
            view.set_ledger_unreachable(True)

    # ---- what calls and operators want of it ------------------------------------------------------------------------

    def add(self, view: View) -> None:
        """Keeps one more view in step. Safe from any thread."""
        self._views.add(view)
        view.set_spread(self.pace.spread_s)
        self._background.soon(lambda: self._background.run(self._subscription.look_at(view)))

    def report_soon(self, view: View) -> None:
        """Reports a failure without waiting for the interval."""
        self._reporting.soon(view)

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks for a probe; see `Probing.ask`."""
        return self._probing.ask(view)

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The request for a probe that is under way, for a call that comes meanwhile; None where there is none."""
        return self._probing.asked(view)

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> None:
        """Ends a probe that the ledger granted. Safe from any thread."""
        self._probing.settle(view, grant, outcome, throttled_ms, took_ms)

    async def read(self, wanted: Mapping[str, Terms]) -> Mapping[str, Reply]:
        """Reads circuits, also those of others. No replica knows less than it shows: its own views hear it, too."""
        replies = await self.ledger.read(wanted)
        for name, reply in replies.items():
            view = self._views.get(name)
            if view is not None and view.scope == "fleet":
                self._contact.read(view, reply)
        return replies

    async def override(self, view: View, verb: Callable[[Ledger], Awaitable[Reply]]) -> Reply:
        """Takes an operator's word to the ledger. Raises LedgerError: nobody may believe what did not happen."""
        reply = await verb(self.ledger)
        self._contact.taken(view, reply)
        return reply

    def _restore_soon(self, view: View) -> None:
        self._background.run(self._restoring.restore(view))
