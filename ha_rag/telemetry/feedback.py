"""Feedback: takes what people thought of answers, and knows what the fleet's people thought."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ha_rag.cancellation import end
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerError
from ha_rag.ledger.store.feedback import Comment, FeedbackStore, Rating, Verdict
from ha_rag.telemetry.answer_ids import AnswerIds, Made
from ha_rag.telemetry.satisfaction import ANY, NONE, Cost, Satisfaction, cost_of_degrading, table

log = logging.getLogger(__name__)

Rated = Callable[[int, int, bool], Awaitable[object]]
"""Counts a rating by its arm, its unit, and whether the answer was liked. Raises LedgerError."""

PER_S, BURST = 20.0, 200.0
"""Ratings that one replica takes a second, and at once."""

EVERY_S = 5.0
"""How often a replica reads the fleet's counts."""


class Feedback:
    """The feedback of one replica's fleet. Used on one event loop; `rows` and `cost` are memory reads.

    `rated`: counts ratings of the running experiment's answers, if there is one.
    """

    def __init__(
        self, store: FeedbackStore, ids: AnswerIds, clock: Clock | None = None, rated: Rated | None = None
    ) -> None:
        self._store = store
        self._ids = ids
        self._rated = rated
        self._now_s = (clock or SystemClock()).monotonic_s
        self._left, self._left_at_s = BURST, self._now_s()
        self.rows: tuple[Satisfaction, ...] = ()

    @property
    def cost(self) -> Cost | None:
        """What degrading costs."""
        return cost_of_degrading(self.rows)

    def wait_s(self) -> float:
        """0 if another rating is taken now, and counts it; else after how many seconds one is."""
        now_s = self._now_s()
        self._left = min(BURST, self._left + PER_S * (now_s - self._left_at_s))
        self._left_at_s = now_s
        if self._left < 1:
            return (1 - self._left) / PER_S
        self._left -= 1
        return 0.0

    def made(self, answer: str) -> Made | None:
        """How this answer of the fleet was made; None for an id that the fleet did not give within a week."""
        return self._ids.read(answer)

    async def give(self, answer: str, made: Made, score: float, comment: str, rater: str) -> bool:
        """Counts a rating from -1 to 1. `rater`: who rates. False if it had been counted. Raises LedgerError."""
        digest = hashlib.sha256(f"{answer} {rater}".encode()).hexdigest()
        counted = await self._store.give(Rating(digest, verdict(score), groups(made), comment))
        if self._rated is not None and made.arm is not None and score:
            await self._rated(made.arm, made.unit, score > 0)
        return counted

    async def comments(self, limit: int) -> Sequence[Comment]:
        """The newest comments. Raises LedgerError."""
        return await self._store.comments(limit)

    async def refresh(self) -> None:
        """Reads the fleet's secret and counts. Raises LedgerError."""
        self._ids.sign_with(await self._store.secret())
        self.rows = table(await self._store.counts())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps up with the fleet for as long as the block lasts."""
        task = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            await end(task)

    async def _keep_up(self) -> None:
        while True:
            try:
                await self.refresh()
            except LedgerError:
                pass  # the link says that Redis is away; the counts that were read last stay
            except Exception:
                log.exception("reading the feedback failed; it will be read again")
            await asyncio.sleep(EVERY_S)


def verdict(score: float) -> Verdict:
    """What a score from -1 to 1 says."""
    return "up" if score > 0 else "down" if score < 0 else "neutral"


def groups(made: Made) -> list[str]:
    """Where a rating of an answer counts; its degradation first."""
    exact = "+".join(made.degraded) or NONE
    return [
        f"degradation:{exact}",
        *([f"degradation:{ANY}"] if made.degraded else []),
        *(f"tier:{tier}" for tier in made.tiers),
        "all",
    ]
