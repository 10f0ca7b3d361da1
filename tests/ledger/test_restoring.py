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


class RecordingLedger(MemoryLedger):
    """Records each restore; answers when `may_answer` is set, with `error` if there is one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.restores: list[tuple[str, Terms, str, RestorePoint]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: LedgerRefusedError | None = None

    async def restore(self, circuit: str, terms: Terms, replica: str, point: RestorePoint) -> Reply:
        self.restores.append((circuit, terms, replica, point))
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return await super().restore(circuit, terms, replica, point)


class RestoreBench:
    """A replica that knows an open circuit, and an empty ledger."""

    def __init__(self) -> None:
        self.view = OneView()
        self.ledger = RecordingLedger(self.view.clock)
        self.events: list[Event] = []
        views = Views()
        views.add(self.view)
        self.session = LedgerSession(
            self.ledger, "r1~1", self.view.clock, views=views, sinks=[self.events.append], restore=lambda _: None
        )
        self.restoring = Restoring(self.session)
        self.view.receives(OPEN, 5, left_ms=3000, reason="3 of 4 failed")

    async def receives_the_time(self) -> None:
        """The replica receives the ledger's time."""
        self.session.on_available(await self.ledger.now_ms())


@pytest.fixture
def bench() -> RestoreBench:
    return RestoreBench()


async def test_a_restore_names_the_replica_and_sends_its_cached_state(bench: RestoreBench) -> None:
    await bench.receives_the_time()
    await bench.restoring.restore(bench.view)
    ((circuit, terms, replica, point),) = bench.ledger.restores
    assert (circuit, terms, replica) == ("svc", bench.view.terms, "r1~1")
    assert (point.state, point.epoch, point.left_ms, point.reason) == (OPEN, 5, 3000, "3 of 4 failed")
    assert bench.view.fleet.epoch > 5  # the reply was applied


async def test_nothing_is_restored_before_the_ledgers_time_is_known(bench: RestoreBench) -> None:
    await bench.restoring.restore(bench.view)
    assert bench.ledger.restores == []


async def test_one_restore_runs_at_a_time_and_the_next_may_follow(bench: RestoreBench) -> None:
    await bench.receives_the_time()
    bench.ledger.may_answer.clear()
    first = asyncio.create_task(bench.restoring.restore(bench.view))
    second = asyncio.create_task(bench.restoring.restore(bench.view))
    await asyncio.sleep(0)
    bench.ledger.may_answer.set()
    await asyncio.wait({first, second})
    assert len(bench.ledger.restores) == 1
    await bench.restoring.restore(bench.view)
    assert len(bench.ledger.restores) == 2


async def test_a_refused_restore_is_reported_and_may_be_repeated(bench: RestoreBench) -> None:
    await bench.receives_the_time()
    bench.ledger.error = LedgerRefusedError("OOM no memory")
    for _ in range(2):
        await bench.restoring.restore(bench.view)
    assert len(bench.ledger.restores) == 2
    assert bench.session.is_refused(bench.view)
    assert bench.view.ledger_unreachable
