"""Sync: keeps the views of one replica and the ledger in step. All of the I/O, none of the law.

Four loops run on one event loop: listening to pushed changes, polling behind them, reporting outcomes, and beating.
Probes are asked for and settled beside them, when calls want it. Calls never wait for any of it, but for the few that
may be the probe of a half-open circuit. Nothing that goes wrong in one round of a loop ends the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError
from ha_rag.events import Sink
from ha_rag.ledger.asking import Grant
from ha_rag.ledger.herald import Herald
from ha_rag.ledger.ledger import Change, Ledger, Reply
from ha_rag.ledger.limits import HEARTBEAT, LISTENING, TELLING, Limits
from ha_rag.ledger.link import Link
from ha_rag.ledger.pace import Burst, Pace
from ha_rag.ledger.view import View
from ha_rag.messages import Outcome

log = logging.getLogger(__name__)

RETRY_S = (0.05, 0.5)
"""Between these many seconds, by chance, a lost connection is tried again."""

STOP_S = 0.5
"""How long the last reports may take when a replica stops."""

REFUSED_S = 1.0
"""How often a verb is tried on a ledger that answers with errors."""

BUSY_S = 2.0
"""A circuit reported on within this time counts as one that will be reported on again."""

TIDY_S = 0.1
"""How often, at least, a view is tidied, however seldom it reports."""


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
        self.link = Link(clock)
        self.pace = Pace()
        self.untold = 0
        """Steps whose event or message the ledger refused to pass on."""
        self._incarnation = incarnation
        self._clock = clock
        self._herald = Herald(incarnation, clock, sinks)
        self.limits = Limits(self._herald.limited)
        """What the ledger refuses beside the verbs of a circuit."""
        self._body = body
        self._lock = threading.Lock()
        self._views: dict[str, View] = {}
        self._bursts: dict[str, Burst] = {}
        self._reported_s: dict[str, float] = {}
        self._reporting: set[str] = set()
        self._about_to: set[str] = set()
        self._again: set[str] = set()
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._teaching: set[str] = set()
        self._refused: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settling: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beating = asyncio.Lock()

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Looks once, so that the first call already knows, and goes on in the background. Never fails."""
        self._loop = asyncio.get_running_loop()
        await self._once(self._beat_once)
        await self._once(self._poll_once)
        for loop in (self._listen, self._poll, self._report_all, self._beat):
            self._spawn(self._for_ever(loop))

    async def stop(self) -> None:
        """Sends what is left, gives probes back, takes the replica off the list. Bounded, never fails."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            with contextlib.suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._say_goodbye()
        finally:
            await self._end_tasks()
            self._leave_views_alone()
            with contextlib.suppress(LedgerError):
                await self.ledger.aclose()

    async def _end_tasks(self) -> None:
        """Cancels until all have ended: seen with a redis client that took a cancellation for its own time limit."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=STOP_S)

    async def _say_goodbye(self) -> None:
        if not self.link.up:
            return
        grants = [(view, grant) for view in self._shared() if (grant := view.drop_grant()) is not None]
        await asyncio.gather(*self._settling, *(self._settle(view, grant, Outcome.CANCELLED) for view, grant in grants))
        await asyncio.gather(*(self._report(view) for view in self._shared()))
        async with self._beating:  # a beat under way would put the replica on the list again
            await self.ledger.leave(self._incarnation)

    def _leave_views_alone(self) -> None:
        """Whoever goes on using a breaker after its registry has been left is alone, and knows it."""
        for view in self._shared():
            view.lease_answered(None, "", self._clock.monotonic_s())
            view.set_away(True)

    def add(self, view: View) -> None:
        """Keeps one more view in step. Safe from any thread."""
        with self._lock:  # the loops walk over the one they began with
            self._bursts = {**self._bursts, view.name: Burst()}
            self._views = {**self._views, view.name: view}
        view.spread(self.pace.spread_s)
        self._soon(lambda: self._spawn(self._look_at(view)))

    def _shared(self) -> list[View]:
        return [view for view in self._views.values() if view.scope == "fleet"]

    def _soon(self, act: Callable[[], object]) -> bool:
        """Does something on the loop; whether there is one."""
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # closed meanwhile
            return False
        return True

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of the sync with the ledger ended in an error", exc_info=error)

    # ---- what calls want of it --------------------------------------------------------------------------------------

    def report_soon(self, view: View) -> None:
        """Reports a failure without waiting for the interval, as far as the bucket of 10 allows."""
        self._soon(lambda: self._report_at_once(view))

    def _report_at_once(self, view: View) -> None:
        slower = self.pace.report_s(view.policy.flush_interval_s) / view.policy.flush_interval_s
        if view.name in self._about_to:
            return  # that report has not been put together yet, and will hold this failure too
        if view.name in self._reporting:
            self._again.add(view.name)
        elif self._bursts[view.name].take(self._clock.monotonic_s(), slower):
            self._about_to.add(view.name)
            self._spawn(self._report(view))

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks for a probe, once, shielded from whoever asks. A future that is done when the answer is in.

        Only on the loop itself; None elsewhere, or where there is no loop: the answer then waits for the next call.
        """
        if self._loop is not None and running_loop() is self._loop:
            task = self._asked[view.name] = self._spawn(self._lease(view))
            return task
        if not self._soon(lambda: self._spawn(self._lease(view))):
            view.lease_answered(None, "", self._clock.monotonic_s())
        return None

    def asked(self, view: View) -> asyncio.Future[None] | None:
        """The request for a probe that is under way, for a call that comes meanwhile; None where there is none."""
        task = self._asked.get(view.name)
        return task if task is not None and not task.done() and running_loop() is self._loop else None

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Ends a probe that the ledger granted. Safe from any thread."""
        self._soon(lambda: self._settle_soon(view, grant, outcome, throttled_ms))

    def _settle_soon(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        task = self._spawn(self._settle(view, grant, outcome, throttled_ms))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def override(self, view: View, verb: Callable[[Ledger], Awaitable[Reply]]) -> Reply:
        """Takes an operator's word to the ledger. Raises LedgerError: nobody may believe what did not happen."""
        reply = await verb(self.ledger)
        self._taken(view, reply)
        return reply

    # ---- the four loops ---------------------------------------------------------------------------------------------

    async def _for_ever(self, round_: Callable[[], Awaitable[None]]) -> None:
        while True:
            if not await self._once(round_):
                await asyncio.sleep(random.uniform(*RETRY_S))

    async def _once(self, round_: Callable[[], Awaitable[None]]) -> bool:
        """One round; whether it went well. What nobody foresaw is logged, and must not silence a replica for ever."""
        try:
            await round_()
        except LedgerError as error:
            log.debug("the ledger: %s", error)
            return False
        except Exception:
            log.exception("a round of the sync with the ledger failed")
            return False
        return True

    async def _listen(self) -> None:
        with self.limits.trying(LISTENING):
            async for change in self.ledger.changes():
                await self._hear(change)
        raise LedgerUnavailableError("the ledger stopped telling of changes")

    async def _hear(self, change: Change | None) -> None:
        if change is None:
            self.limits.taken(LISTENING)
            await self._poll_once()
        elif (view := self._views.get(change.circuit)) is not None:
            heard = view.hear_message(change.snapshot, change.previous_epoch)
            self._herald.heard(view.name, heard)
            if heard.gap:
                self._spawn(self._look_at(view))

    async def _poll(self) -> None:
        wait_s = self.pace.poll_s * random.uniform(0.9, 1.1) if self.link.up else random.uniform(*RETRY_S)
        await asyncio.sleep(wait_s)
        await self._poll_once()

    async def _poll_once(self) -> None:
        await self._look({view.name: view for view in self._shared()})

    async def _look_at(self, view: View) -> None:
        if view.scope == "fleet":
            await self._look({view.name: view})

    async def _look(self, views: dict[str, View]) -> None:
        try:
            replies = await self.ledger.read({name: view.terms for name, view in views.items()})
        except LedgerError as error:
            self._lost(error)
            return
        for name, reply in replies.items():
            self._read(views[name], reply)

    async def _report_all(self) -> None:
        shared = self._shared()
        await asyncio.sleep(min([TIDY_S, *(view.policy.flush_interval_s for view in shared)]))
        now = self._clock.monotonic_s()
        for view in shared:
            self._look_after(view, now)

    def _look_after(self, view: View, now: float) -> None:
        view.tidy()
        self._herald.overlay(view)
        if (grant := view.stale_grant()) is not None:
            self._settle_soon(view, grant, Outcome.CANCELLED)
        if self._refused_for_now(view, now):
            return
        due = self._reported_s.get(view.name, -math.inf) + self.pace.report_s(view.policy.flush_interval_s) <= now
        if due and view.has_news and self.link.up and view.name not in self._reporting:
            self._spawn(self._report(view))

    def _refused_for_now(self, view: View, now: float) -> bool:
        """Whether the ledger's errors keep this circuit to itself; every second a verb is tried that must write."""
        since = self._refused.get(view.name)
        if since is None:
            return False
        if now - since < REFUSED_S:
            return True
        self._refused[view.name] = now
        if view.fleet.state is CircuitState.CLOSED:
            return False
        if view.begin_asking():
            self._spawn(self._lease(view))
        return True

    async def _beat(self) -> None:
        await asyncio.sleep(self.pace.beat_s * random.uniform(0.9, 1.1))
        await self._beat_once()

    async def _beat_once(self) -> None:
        names = [view.name for view in self._shared()]
        life_ms = int(self.pace.beat_s * 5000)
        try:
            async with self._beating:
                if self._loop is None:
                    return
                with self.limits.trying(HEARTBEAT):
                    replicas = await self.ledger.beat(self._incarnation, self._body(), names, life_ms)
        except LedgerUnavailableError as error:
            self._lost(error)
            raise
        self.pace = Pace(max(1, replicas), max(1, self._busy()))
        for view in self._views.values():
            view.spread(self.pace.spread_s)
        if not names:  # nothing is polled then: a beat that is taken is all there is to know the link by
            self._up(None)

    def _busy(self) -> int:
        """How many circuits were reported on lately: those that rest cost Redis nothing, and need no share of it."""
        since = self._clock.monotonic_s() - BUSY_S
        return sum(at >= since for at in self._reported_s.values())

    # ---- verbs ------------------------------------------------------------------------------------------------------

    async def _report(self, view: View) -> None:
        self._about_to.discard(view.name)
        ledger_now_ms = self.link.ledger_now_ms()
        if view.scope == "replica" or ledger_now_ms is None or view.name in self._reporting:
            return
        batch = view.batch(ledger_now_ms)
        if batch is None:
            return
        self._reporting.add(view.name)
        try:
            reply = await self.ledger.record(view.name, view.terms, batch, random.random())
        except LedgerError as error:
            self._not_taken(view, error)
            return
        finally:
            self._reporting.discard(view.name)
            self._reported_s[view.name] = self._clock.monotonic_s()
        view.batch_taken(batch)
        self._taken(view, reply)
        if batch.failing and reply.snapshot.state is CircuitState.CLOSED:
            view.judged(batch)
        if view.name in self._again:
            self._again.discard(view.name)
            self._report_at_once(view)

    async def _lease(self, view: View) -> None:
        token, asked_s = uuid.uuid4().hex, self._clock.monotonic_s()
        reply: Reply | None = None
        try:
            reply = await self.ledger.lease(view.name, view.terms, self._incarnation, view.fleet.epoch, token)
            if reply.granted:
                self._taken(view, reply)
            else:
                self._read(view, reply)  # a refusal writes nothing: no proof that the ledger takes what must be written
        except LedgerError as error:
            self._not_taken(view, error)
        finally:
            unused = view.lease_answered(reply, token, asked_s)
        if unused is not None:
            self._settle_soon(view, unused, Outcome.CANCELLED)

    async def _settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Tries until the lease has ended by itself: a probe's word must not be lost to one lost packet."""
        while self._clock.monotonic_s() < grant.until_s:
            try:
                reply = await self.ledger.settle(
                    view.name, view.terms, self._incarnation, grant.token, outcome, throttled_ms, random.random()
                )
            except LedgerRefusedError as error:
                self._not_taken(view, error)
                return
            except LedgerError as error:
                self._not_taken(view, error)
                await asyncio.sleep(random.uniform(*RETRY_S))
            else:
                self._taken(view, reply)
                return

    async def _teach(self, view: View) -> None:
        ledger_now_ms = self.link.ledger_now_ms()
        if view.name in self._teaching or ledger_now_ms is None:
            return
        self._teaching.add(view.name)
        try:
            belief = view.belief(ledger_now_ms)
            reply = await self.ledger.teach(view.name, view.terms, self._incarnation, belief)
        except LedgerError as error:
            self._not_taken(view, error)
        else:
            self._taken(view, reply)
        finally:
            self._teaching.discard(view.name)

    # ---- what the answers mean --------------------------------------------------------------------------------------

    def _read(self, view: View, reply: Reply) -> None:
        """A read was answered: the ledger is there, but it need not take verbs."""
        self._up(reply.snapshot.now_ms)
        heard = view.hear(reply.snapshot)
        self._herald.heard(view.name, heard)
        if heard.forgot:
            self._spawn(self._teach(view))
        view.set_away(view.name in self._refused)

    def _taken(self, view: View, reply: Reply) -> None:
        """A verb was taken."""
        if reply.untold:
            self.untold += 1
            self.limits.refused(TELLING, "XADD or PUBLISH")
        elif reply.told:
            self.limits.taken(TELLING)
        self._refused.pop(view.name, None)
        self._read(view, reply)

    def _not_taken(self, view: View, error: LedgerError) -> None:
        if not isinstance(error, LedgerRefusedError):
            self._lost(error)
            return
        if view.name not in self._refused:
            self._herald.lost(str(error), circuit=view.name)
        self._refused[view.name] = self._clock.monotonic_s()
        view.set_away(True)

    def _up(self, ledger_ms: int | None) -> None:
        away_s = self.link.answered(ledger_ms)
        if away_s is not None:
            self._herald.back(away_s)

    def _lost(self, error: LedgerError) -> None:
        if not self.link.failed(str(error)):
            return
        self._herald.lost(str(error))
        for view in self._shared():
            view.set_away(True)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
