"""How a replica restores a ledger that lost its data."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import RestorePoint
from ha_rag.circuit.terms import Terms
from ha_rag.errors import LedgerRefusedError
from ha_rag.events import Event
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.sync.restoring import Restoring
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.views import Views
from tests.ledger.views import OPEN, OneView


class Pupil(MemoryLedger):
    """Records each restore; answers when `may_answer` is set, with `error` if there is one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lessons: list[tuple[str, Terms, str, RestorePoint]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: LedgerRefusedError | None = None

    async def restore(self, circuit: str, terms: Terms, replica: str, belief: RestorePoint) -> Reply:
        self.lessons.append((circuit, terms, replica, belief))
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return await super().restore(circuit, terms, replica, belief)


class Lesson:
    """A replica that knows an open circuit, and an empty ledger."""

    def __init__(self) -> None:
        self.view = OneView()
        self.ledger = Pupil(self.view.clock)
        self.events: list[Event] = []
        views = Views()
        views.add(self.view)
        self.session = LedgerSession(
            self.ledger, "r1~1", self.view.clock, views=views, sinks=[self.events.append], restore=lambda _: None
        )
        self.teaching = Restoring(self.session)
        self.view.hears(OPEN, 5, left_ms=3000, reason="3 of 4 failed")

    async def begins(self) -> None:
        """The replica receives the ledger's time."""
        self.session.on_available(await self.ledger.now_ms())


@pytest.fixture
def lesson() -> Lesson:
    return Lesson()


async def test_a_restore_names_the_replica_and_sends_its_cached_state(lesson: Lesson) -> None:
    await lesson.begins()
    await lesson.teaching.restore(lesson.view)
    ((circuit, terms, replica, belief),) = lesson.ledger.lessons
    assert (circuit, terms, replica) == ("svc", lesson.view.terms, "r1~1")
    assert (belief.state, belief.epoch, belief.left_ms, belief.reason) == (OPEN, 5, 3000, "3 of 4 failed")
    assert lesson.view.fleet.epoch > 5  # the reply was applied


async def test_nothing_is_restored_before_the_ledgers_time_is_known(lesson: Lesson) -> None:
    await lesson.teaching.restore(lesson.view)
    assert lesson.ledger.lessons == []


async def test_one_restore_runs_at_a_time_and_the_next_may_follow(lesson: Lesson) -> None:
    await lesson.begins()
    lesson.ledger.may_answer.clear()
    first = asyncio.create_task(lesson.teaching.restore(lesson.view))
    second = asyncio.create_task(lesson.teaching.restore(lesson.view))
    await asyncio.sleep(0)
    lesson.ledger.may_answer.set()
    await asyncio.wait({first, second})
    assert len(lesson.ledger.lessons) == 1
    await lesson.teaching.restore(lesson.view)
    assert len(lesson.ledger.lessons) == 2


async def test_a_refused_restore_is_reported_and_may_be_repeated(lesson: Lesson) -> None:
    await lesson.begins()
    lesson.ledger.error = LedgerRefusedError("OOM no memory")
    for _ in range(2):
        await lesson.teaching.restore(lesson.view)
    assert len(lesson.ledger.lessons) == 2
    assert lesson.session.is_refused(lesson.view)
    assert lesson.view.ledger_unreachable
