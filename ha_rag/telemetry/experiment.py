"""ExperimentCounter: counts this replica's part of an experiment, and knows what the whole fleet counted."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from ha_rag.cancellation import end
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError
from ha_rag.events import Event, QuestionAnswered
from ha_rag.ledger.store.experiment import CountedBatch, ExperimentStore, Told
from ha_rag.ledger.store.experiment_counts import ExperimentKey, Seen, latency, place_of_unit, total
from ha_rag.telemetry import sketch
from ha_rag.telemetry.experiment_report import Comparison, ExperimentReport, report

log = logging.getLogger(__name__)

SEND_EVERY_S, READ_EVERY_S = 1.0, 5.0
UNITS_AT_ONCE = 200
"""Units in one batch, so that Redis is never busy with one for long."""

MOST_WAITING = 10 * UNITS_AT_ONCE
"""Units that wait to be counted; later ones are left out, of whichever arm."""

UNITS_REMEMBERED = 10_000
"""Units that this replica knows to have been counted, and does not send again."""

LAST_S = 1.0
"""How long a replica that stops tries to send the rest."""


@dataclass(slots=True, eq=False)
class ExperimentCounter:
    """A sink of answered questions, and the fleet's counts of one experiment. Belongs to one event loop.

    `compared`: what the experiment compares. `owner`: this process's name in the store. `on_ended`: told the arm that
    an operator chose for all, "" while the split lasts. Nothing is sent within a question; while the store is out of
    reach counts wait, and units beyond `MOST_WAITING` are left out.
    """

    store: ExperimentStore
    key: ExperimentKey
    compared: Comparison
    owner: str
    on_ended: Callable[[str], None] = lambda arm: None
    clock: Clock = field(default_factory=SystemClock)
    told: Told = field(default_factory=lambda: Told({}))
    left_out: int = 0
    _totals: Counter[str] = field(default_factory=Counter)
    _seen: list[Seen] = field(default_factory=list)
    _known: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _unsent: CountedBatch | None = None
    _number: int = 0
    _started: float | None = None

    @property
    def arms(self) -> Sequence[str]:
        """The names of the arms."""
        return [arm.name for arm in self.compared.arms]

    def __call__(self, event: Event, /) -> None:
        """Counts an answer of the experiment."""
        if not isinstance(event, QuestionAnswered) or (assigned := event.experiment) is None or not assigned.counted:
            return
        if assigned.experiment != self.key.name or assigned.arm not in self.arms:
            return
        arm, answered = self.arms.index(assigned.arm), event.answered and not event.broken
        counted = {
            "questions": True,
            "answered": answered,
            "degraded": bool(event.degraded_stages),
            "otherwise": not assigned.as_assigned,
            "broken": event.broken,
            "loose": not assigned.sticky,
        }
        self._totals.update(total(arm, what) for what, is_so in counted.items() if is_so)
        self._totals[latency(arm, sketch.bucket(event.ms))] += 1
        place = place_of_unit(assigned.unit) if assigned.sticky else None
        if self._is_new(place):
            in_time = event.ms <= 1000 * self.compared.late_s
            shares = {"answered": answered, "undegraded": not event.degraded_stages, "in_time": in_time}
            self._seen.append(Seen(arm, place, {metric: int(up) for metric, up in shares.items()}))

    def _is_new(self, place: int | None) -> bool:
        if place is not None and place in self._known:
            self._known.move_to_end(place)
            return False
        if len(self._seen) >= MOST_WAITING:
            self.left_out += 1
            return False
        if place is not None:
            self._known[place] = None
            if len(self._known) > UNITS_REMEMBERED:
                self._known.popitem(last=False)
        return True

    async def rated(self, arm: int, unit: int, liked: bool) -> bool:
        """Counts a rating, if it is the first of its unit. Raises LedgerError."""
        return await self.store.rate(self.key, arm, place_of_unit(unit), liked)

    def report(self) -> ExperimentReport:
        """What the fleet counted, by what was read last. A memory read."""
        return report(self.told, self.compared, self.key.split, left_out=self.left_out)

    async def end(self, arm: str) -> None:
        """Has this arm answer all questions of the fleet; "": the split goes on. Raises LedgerError."""
        await self.store.end(self.key, arm)
        await self.refresh()

    async def send(self) -> None:
        """Sends what was counted. Raises LedgerError; it is then sent again, and counted once."""
        while self._unsent is not None or self._totals or self._seen:
            if self._unsent is None:
                self._number += 1
                now, self._seen = self._seen[:UNITS_AT_ONCE], self._seen[UNITS_AT_ONCE:]
                self._unsent = CountedBatch(self.owner, self._number, dict(self._totals), now)
                self._totals.clear()
            await self.store.count(self.key, self._unsent)
            self._unsent = None

    async def refresh(self) -> None:
        """Reads the fleet's counts. Raises LedgerError."""
        told = await self.store.told(self.key)
        started = told.counts.get("started")
        if self._started is not None and started != self._started:
            log.warning("Redis has lost what was counted of the experiment %s; it is counted anew", self.key.name)
            self._known.clear()
            await self.store.lost(self.key, self.clock.unix_ms())
        self.told, self._started = told, started
        self.on_ended(told.ended)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps up with the fleet for as long as the block lasts."""
        tasks = [asyncio.create_task(self._repeat(self.send, SEND_EVERY_S)), asyncio.create_task(self._keep_reading())]
        try:
            yield
        finally:
            for task in tasks:
                await end(task)
            with suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self.send()

    async def _keep_reading(self) -> None:
        described = False

        async def read() -> None:
            nonlocal described
            await self.refresh()
            if not described:
                await self.store.describe(self.key, self.compared.wire(self.key))
                described = True

        await self._repeat(read, READ_EVERY_S)

    async def _repeat(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await work()
            except LedgerError:
                pass  # the link says that Redis is away; what was read last stays, and what was counted waits
            except Exception:
                log.exception("counting the experiment %s failed; it is tried again", self.key.name)
            await asyncio.sleep(every_s)
