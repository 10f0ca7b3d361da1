"""Sync: keeps the views of one replica and the ledger in step. All of the I/O, none of the law.

Five things go on at once on one event loop: listening to pushed changes, polling behind them, reporting outcomes,
beating, and, when a call wants one, asking for a probe. Calls never wait for any of it, but for the few that may be
the probe of a half-open circuit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError, LedgerRefusedError
from ha_rag.events import CircuitChanged, Event, LedgerBack, LedgerLost, OverrideChanged, Sink, announce
from ha_rag.ledger.ledger import Ledger, Reply
from ha_rag.ledger.link import Link
from ha_rag.ledger.pace import Burst, Pace
from ha_rag.ledger.view import Grant, Heard, View
from ha_rag.messages import Outcome

log = logging.getLogger(__name__)

RETRY_S = (0.05, 0.5)
"""Between these many seconds, by chance, a lost connection is tried again."""

STOP_S = 0.5
"""How long the last reports may take when a replica stops."""

REFUSED_S = 1.0
"""How often a verb is tried on a ledger that answers with errors."""


class Sync:
    """The link between one replica's views and the ledger. `start` and `stop` on the loop; the rest from any thread.

    `body`: what the replica says of itself in each heartbeat, as JSON text.
    """

    def __init__(
        self, ledger: Ledger, incarnation: str, clock: Clock, *, sinks: Iterable[Sink] = (),
        body: Callable[[], str] = str,
    ) -> None:
        self.ledger = ledger
        self._incarnation = incarnation
        self._clock = clock
        self._sinks = tuple(sinks)
        self._body = body
        self._views: dict[str, View] = {}
        self._bursts: dict[str, Burst] = {}
        self._reported_s: dict[str, float] = {}
        self._reporting: set[str] = set()
        self._again: set[str] = set()
        self._teaching: set[str] = set()
        self._refused: dict[str, float] = {}
        self._overlaid: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.link = Link(clock)
        self.pace = Pace()
        self._heard_before = False
        self.untold = 0
        """Steps whose event or message the ledger refused to pass on."""

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Looks once, so that the first call already knows, and goes on in the background. Never fails."""
        self._loop = asyncio.get_running_loop()
        await self._beat_once()
        await self._poll_once()
        for loop in (self._listen, self._poll, self._report_all, self._beat):
            self._spawn(loop())

    async def stop(self) -> None:
        """Sends what is left, gives probes back, takes the replica off the list. Bounded, never fails."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        with contextlib.suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._say_goodbye()
        await self._end_tasks()
        with contextlib.suppress(LedgerError):
            await self.ledger.aclose()

    async def _end_tasks(self) -> None:
        """Cancels until all have ended: a redis client may take a cancellation for the end of its own time limit."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=STOP_S)

    async def _say_goodbye(self) -> None:
        if not self.link.up:
            return
        grants = [(view, grant) for view in self._shared() if (grant := view.drop_grant()) is not None]
        await asyncio.gather(*(self._settle(view, grant, Outcome.CANCELLED) for view, grant in grants))
        await asyncio.gather(*(self._report(view) for view in self._shared()))
        await self.ledger.leave(self._incarnation)

    def add(self, view: View) -> None:
        """Keeps one more view in step. Safe from any thread."""
        self._views[view.name] = view
        self._bursts[view.name] = Burst()
        view.spread_s = self.pace.spread_s
        self._soon(lambda: self._spawn(self._look_at(view)))

    def _soon(self, act: Callable[[], object]) -> bool:
        """Does something on the loop; whether there is one."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return False
        loop.call_soon_threadsafe(act)
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
        if view.name in self._reporting:
            self._again.add(view.name)
        elif self._bursts[view.name].take(self._clock.monotonic_s(), slower):
            self._spawn(self._report(view))

    def ask(self, view: View) -> asyncio.Future[None] | None:
        """Asks for a probe, once, shielded from whoever asks. A future that is done when the answer is in.

        Only on the loop itself; None elsewhere, or where there is no loop: the answer then waits for the next call.
        """
        if self._loop is not None and _running_loop() is self._loop:
            return self._spawn(self._lease(view))
        if not self._soon(lambda: self._spawn(self._lease(view))):
            view.lease_answered(None, "", self._clock.monotonic_s())
        return None

    def settle(self, view: View, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Ends a probe that the ledger granted. Safe from any thread."""
        self._soon(lambda: self._spawn(self._settle(view, grant, outcome, throttled_ms)))

    async def override(self, view: View, verb: Callable[[Ledger], Awaitable[Reply]]) -> Reply:
        """Takes an operator's word to the ledger. Raises LedgerError: nobody may believe it happened when it did not."""
        reply = await verb(self.ledger)
        self._taken(view, reply)
        return reply

    # ---- the five loops ---------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while self._loop is not None:
            try:
                async for change in self.ledger.changes():
                    if change is None:
                        await self._poll_once()
                    elif (view := self._views.get(change.circuit)) is not None:
                        heard = view.hear_message(change.snapshot, change.previous_epoch)
                        self._tell(view, heard)
                        if heard.gap:
                            self._spawn(self._look_at(view))
            except LedgerError as error:
                log.debug("not listening to the ledger: %s", error)
            await asyncio.sleep(random.uniform(*RETRY_S))

    async def _poll(self) -> None:
        while self._loop is not None:
            wait = self.pace.poll_s * random.uniform(0.9, 1.1) if self.link.up else random.uniform(*RETRY_S)
            await asyncio.sleep(wait)
            await self._poll_once()

    async def _poll_once(self) -> None:
        shared = {view.name: view.terms for view in self._shared()}
        try:
            replies = await self.ledger.read(shared)
        except LedgerError as error:
            self._lost(error)
            return
        for name, reply in replies.items():
            self._read(self._views[name], reply)

    async def _look_at(self, view: View) -> None:
        if view.scope == "replica":
            return
        try:
            replies = await self.ledger.read({view.name: view.terms})
        except LedgerError as error:
            self._lost(error)
            return
        self._read(view, replies[view.name])
        view.set_away(not self.link.up or view.name in self._refused)

    def _shared(self) -> list[View]:
        return [view for view in self._views.values() if view.scope == "fleet"]

    async def _report_all(self) -> None:
        while self._loop is not None:
            shared = self._shared()
            await asyncio.sleep(min((v.policy.flush_interval_s for v in shared), default=0.1))
            now = self._clock.monotonic_s()
            for view in shared:
                self._look_after(view, now)

    def _look_after(self, view: View, now: float) -> None:
        view.tidy()
        self._tell_overlay(view)
        if (grant := view.stale_grant()) is not None:
            self._spawn(self._settle(view, grant, Outcome.CANCELLED))
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
        if view.fleet.state is not CircuitState.CLOSED:
            self._spawn(self._lease(view))
            return True
        return False

    async def _beat(self) -> None:
        while self._loop is not None:
            await asyncio.sleep(self.pace.beat_s * random.uniform(0.9, 1.1))
            await self._beat_once()

    async def _beat_once(self) -> None:
        names = [view.name for view in self._shared()]
        life_ms = int(self.pace.beat_s * 5000)
        with contextlib.suppress(LedgerError):
            replicas = await self.ledger.beat(self._incarnation, self._body(), names, life_ms)
            self.pace = Pace(max(1, replicas), max(1, len(names)))
            for view in self._views.values():
                view.spread_s = self.pace.spread_s

    # ---- verbs ------------------------------------------------------------------------------------------------------

    async def _report(self, view: View) -> None:
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
        if view.name in self._again:
            self._again.discard(view.name)
            self._report_at_once(view)
        if batch.failing and reply.snapshot.state is CircuitState.CLOSED:
            view.verdict()

    async def _lease(self, view: View) -> None:
        token, asked_s = uuid.uuid4().hex, self._clock.monotonic_s()
        reply: Reply | None = None
        try:
            reply = await self.ledger.lease(view.name, view.terms, self._incarnation, view.fleet.epoch, token)
            self._taken(view, reply)
        except LedgerError as error:
            self._not_taken(view, error)
        finally:
            unused = view.lease_answered(reply, token, asked_s)
        if unused is not None:
            await self._settle(view, unused, Outcome.CANCELLED)

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
        away_s = self.link.answered(reply.snapshot.now_ms)
        if away_s is not None:
            self._settle_in()
        if away_s is not None and self._heard_before:
            self._announce(LedgerBack(at_ms=self._clock.unix_ms(), replica=self._incarnation, away_s=away_s))
        self._heard_before = True
        self._hear(view, reply)

    def _taken(self, view: View, reply: Reply) -> None:
        """A verb was taken."""
        self.untold += reply.untold
        self._refused.pop(view.name, None)
        self._read(view, reply)
        view.set_away(False)

    def _hear(self, view: View, reply: Reply) -> None:
        heard = view.hear(reply.snapshot)
        self._tell(view, heard)
        if heard.forgot:
            self._spawn(self._teach(view))

    def _not_taken(self, view: View, error: LedgerError) -> None:
        if isinstance(error, LedgerRefusedError):
            if view.name not in self._refused:
                self._announce(self._event(LedgerLost, reason=str(error), circuit=view.name))
            self._refused[view.name] = self._clock.monotonic_s()
            view.set_away(True)
        else:
            self._lost(error)

    def _lost(self, error: LedgerError) -> None:
        if self.link.failed(str(error)):
            self._announce(self._event(LedgerLost, reason=str(error)))
            self._settle_in()

    def _settle_in(self) -> None:
        """Tells every view whether the ledger takes its verbs."""
        for view in self._shared():
            view.set_away(not self.link.up or view.name in self._refused)

    # ---- telling ----------------------------------------------------------------------------------------------------

    def _event(self, kind: type[LedgerLost], **facts: str) -> LedgerLost:
        return kind(at_ms=self._clock.unix_ms(), replica=self._incarnation, **facts)

    def _announce(self, event: Event) -> None:
        announce(self._sinks, event)

    def _tell(self, view: View, heard: Heard) -> None:
        before, after = heard.before, heard.after
        if before is None or after is None:
            return
        if before.override != after.override:
            self._announce(_override_changed(view.name, after))
        self._announce(
            CircuitChanged(
                at_ms=after.changed_at_ms, replica=self._incarnation, circuit=view.name,
                previous_epoch=before.epoch, epoch=after.epoch, from_state=before.state, to_state=after.state,
                reason=after.reason, by=after.opened_by if after.state is CircuitState.OPEN else "",
            )
        )

    def _tell_overlay(self, view: View) -> None:
        """A replica that refuses by itself what the fleet lets pass says so, once."""
        overlaid = view.overlaid()
        if overlaid == (view.name in self._overlaid):
            return
        self._overlaid ^= {view.name}
        own = view.local()
        self._announce(
            CircuitChanged(
                at_ms=self._clock.unix_ms(), replica=self._incarnation, circuit=view.name, scope="replica",
                previous_epoch=view.fleet.epoch, epoch=view.fleet.epoch,
                from_state="closed" if overlaid else "open", to_state=own.state if overlaid else "closed",
                reason=own.reason, by=self._incarnation,
            )
        )


def _override_changed(circuit: str, after: Any) -> OverrideChanged:
    word = after.override
    return OverrideChanged(
        at_ms=after.changed_at_ms, circuit=circuit, mode=word.mode if word else None, epoch=after.epoch,
        reason=word.reason if word else after.reason, by=word.by if word else "",
        until_ms=word.until_ms if word else None,
    )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
