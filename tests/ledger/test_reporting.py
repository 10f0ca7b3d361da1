"""When a circuit is reported on: the reporting part of the sync alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.pace import REPORTS_PER_S, Pace
from ha_rag.ledger.sync.reporting import ACTIVE_INTERVALS, ACTIVE_S, SENDERS, Reporting
from tests.ledger.views import CLOSED, OneView

INTERVAL_S = 2.0
"""The interval that a large fleet uses instead of a flush interval of 0.1 s."""
HARDLY_OPENS = CircuitPolicy(min_samples=99)


class ReportingBench:
    """Reporting to a ledger that accepts everything. `sent`: the batches; `jitters`: sent with them."""

    def __init__(self, interval_s: float = INTERVAL_S, policy: CircuitPolicy = HARDLY_OPENS, **facts: Any) -> None:
        self.view = OneView(policy, **facts)
        self.sent: list[Batch] = []
        self.jitters: list[float] = []
        self.answer = asyncio.Event()
        self.answer.set()
        self.background = BackgroundTasks()
        self.background.open()
        self.link = SimpleNamespace(up=True, ledger_now_ms=lambda: self.view.ledger_ms, round_trip_s=0.0)
        session: Any = SimpleNamespace(
            now_s=self.view.clock.monotonic_s,
            pace=SimpleNamespace(
                report_s=lambda flush_s: max(flush_s, interval_s),
                calm_report_s=lambda flush_s, bucket_s: max(flush_s, interval_s),
            ),
            link=self.link,
            ledger=SimpleNamespace(record=self._record),
            may_send=lambda view: True,
            on_accepted=lambda view, reply: None,
        )
        self.session = session
        self.reporting = Reporting(session, self.background)

    async def _record(self, circuit: str, terms: object, batch: Batch, jitter: float) -> Reply:
        self.sent.append(batch)
        self.jitters.append(jitter)
        await self.answer.wait()
        return Reply(self.view.snapshot(CLOSED))

    async def others_run(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def due(self) -> None:
        self.reporting.report_if_due(self.view)
        await self.others_run()


@pytest.fixture
async def bench() -> ReportingBench:
    return ReportingBench()


async def test_outcomes_are_reported_once_per_interval_however_often_upkeep_runs(bench: ReportingBench) -> None:
    for _ in range(40):
        bench.view.succeeds()
        await bench.due()
        bench.view.clock.advance(0.1)
    assert len(bench.sent) == 2
    assert all(0 <= jitter < 1 for jitter in bench.jitters)


async def test_a_report_is_due_exactly_at_the_end_of_the_interval(bench: ReportingBench) -> None:
    bench.view.succeeds()
    await bench.due()
    bench.view.succeeds()
    bench.view.clock.advance(INTERVAL_S)
    await bench.due()
    assert len(bench.sent) == 2


async def test_nothing_is_reported_without_outcomes_or_without_a_reachable_ledger(bench: ReportingBench) -> None:
    await bench.due()
    bench.view.succeeds()
    bench.link.up = False
    await bench.due()
    assert bench.sent == []


async def test_no_report_begins_while_another_one_is_in_flight(bench: ReportingBench) -> None:
    bench.answer.clear()
    bench.view.succeeds()
    await bench.due()
    bench.view.succeeds()
    bench.view.clock.advance(2 * INTERVAL_S)
    await bench.due()
    assert len(bench.sent) == 1
    bench.answer.set()
    await bench.others_run()
    bench.view.clock.advance(INTERVAL_S)
    await bench.due()
    assert len(bench.sent) == 2


async def test_failures_during_a_report_are_reported_once_right_after_it() -> None:
    bench = ReportingBench(interval_s=0.1)
    bench.answer.clear()
    for _ in range(3):
        bench.view.fails()
        bench.reporting.report_soon(bench.view)
        await bench.others_run()
    assert len(bench.sent) == 1
    bench.answer.set()
    await bench.others_run()
    await bench.others_run()
    assert len(bench.sent) == 2
    bench.view.succeeds()
    await bench.reporting.report(bench.view)
    await bench.others_run()
    assert len(bench.sent) == 3


@pytest.mark.parametrize("flush_interval_s", [0.1, 2.0])
@pytest.mark.parametrize(("interval_s", "at_first", "later"), [(0.1, 10, 10), (0.2, 5, 5), (INTERVAL_S, 1, 1)])
async def test_failures_are_reported_at_once_up_to_a_limit_that_shrinks_with_the_fleet(
    interval_s: float, at_first: int, later: int, flush_interval_s: float
) -> None:
    bench = ReportingBench(interval_s, CircuitPolicy(min_samples=99, flush_interval_s=flush_interval_s))
    for reported in (at_first, at_first + later):
        for _ in range(40):
            bench.view.fails()
            bench.reporting.report_soon(bench.view)
            await bench.others_run()
        assert len(bench.sent) == reported
        bench.view.clock.advance(2.0)


async def test_each_circuit_has_its_own_token_bucket(bench: ReportingBench) -> None:
    for name in ("one", "two"):
        bench.view.name = name
        bench.view.fails()
        bench.reporting.report_soon(bench.view)
        await bench.others_run()
    assert len(bench.sent) == 2


async def test_a_circuit_of_scope_replica_is_never_reported() -> None:
    bench = ReportingBench(scope="replica")
    bench.view.fails()
    bench.reporting.report_soon(bench.view)
    await bench.others_run()
    await bench.reporting.report_remaining(bench.view)
    assert bench.sent == []


async def test_a_local_trip_does_not_wait_for_a_ledger_that_evaluated_the_report_and_stays_closed(
    bench: ReportingBench,
) -> None:
    bench.view.fails(99)
    bench.view.admitted()  # waits for the fleet
    await bench.reporting.report(bench.view)
    assert bench.view.refused().state != CLOSED


async def test_circuits_are_active_for_a_while_after_their_last_report(bench: ReportingBench) -> None:
    assert bench.reporting.active_circuits() == 0
    bench.view.succeeds()
    await bench.due()
    bench.view.clock.advance(ACTIVE_INTERVALS * INTERVAL_S)
    assert bench.reporting.active_circuits() == 1
    bench.view.clock.advance(0.01)
    assert bench.reporting.active_circuits() == 0


async def test_circuits_are_active_for_two_seconds_in_a_small_fleet() -> None:
    bench = ReportingBench(interval_s=0.1)
    bench.view.succeeds()
    await bench.due()
    bench.view.clock.advance(ACTIVE_S)
    assert bench.reporting.active_circuits() == 1
    bench.view.clock.advance(0.01)
    assert bench.reporting.active_circuits() == 0


@pytest.mark.parametrize(("replicas", "circuits"), [(300, 10), (1000, 10)])
async def test_with_any_number_of_active_circuits_all_replicas_together_stay_within_the_limit(
    bench: ReportingBench, replicas: int, circuits: int
) -> None:
    views, beat_s, seconds = [OneView() for _ in range(circuits)], 0.0, 100
    for number, view in enumerate(views):
        view.name = f"c{number}"
    bench.session.pace = Pace(replicas, circuits)
    for step in range(10 * seconds):
        for view in (bench.view, *views):
            view.clock.advance(0.1)
        for view in views:
            view.succeeds()
            bench.reporting.report_if_due(view)
        await bench.others_run()
        if step / 10 - beat_s >= bench.session.pace.beat_s:
            beat_s, bench.session.pace = step / 10, Pace(replicas, max(1, bench.reporting.active_circuits()))
    assert 0.8 * REPORTS_PER_S <= replicas * len(bench.sent) / seconds <= 1.05 * REPORTS_PER_S


def with_outcomes(number: int) -> list[OneView]:
    views = [OneView() for _ in range(number)]
    for index, view in enumerate(views):
        view.name = f"c{index}"
        view.succeeds()
    return views


@pytest.mark.parametrize(("round_trip_s", "at_a_time"), [(0.001, SENDERS), (0.1, SENDERS + 5), (0.25, SENDERS + 12)])
async def test_reports_that_are_due_together_take_few_connections_unless_the_ledger_is_far(
    bench: ReportingBench, round_trip_s: float, at_a_time: int
) -> None:
    bench.link.round_trip_s = round_trip_s
    bench.answer.clear()
    for view in with_outcomes(20):
        bench.reporting.report_if_due(view)
    await bench.others_run()
    assert len(bench.sent) == at_a_time
    bench.answer.set()
    await asyncio.gather(*bench.background._tasks)
    assert len(bench.sent) == 20


async def test_a_failure_is_reported_at_once_while_other_reports_wait(bench: ReportingBench) -> None:
    bench.answer.clear()
    for view in with_outcomes(20):
        bench.reporting.report_if_due(view)
    await bench.others_run()
    bench.view.fails()
    bench.reporting.report_soon(bench.view)
    await bench.others_run()
    assert [tally.counts.failed for tally in bench.sent[-1].tallies] == [1]


async def test_reports_that_wait_are_not_sent_to_a_ledger_that_became_unreachable(bench: ReportingBench) -> None:
    bench.answer.clear()
    for view in with_outcomes(20):
        bench.reporting.report_if_due(view)
    await bench.others_run()
    bench.link.up = False
    bench.answer.set()
    await asyncio.gather(*bench.background._tasks)
    assert len(bench.sent) == SENDERS


@pytest.mark.provokes_errors
async def test_reports_go_on_after_one_that_failed_unexpectedly(
    bench: ReportingBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("unforeseen")

    views = with_outcomes(20)
    with monkeypatch.context() as patch:
        patch.setattr(bench.session.ledger, "record", fails)
        for view in views:
            bench.reporting.report_if_due(view)
        await bench.others_run()
    assert bench.sent == []
    bench.reporting.report_if_due(views[-1])
    await bench.others_run()
    assert len(bench.sent) == 20 - SENDERS


async def test_reports_go_on_after_a_stop_and_a_new_start(bench: ReportingBench) -> None:
    for view in with_outcomes(20):
        bench.reporting.report_if_due(view)
    await bench.background.end()
    bench.background.open()
    bench.view.succeeds()
    await bench.due()
    assert len(bench.sent) > 0
