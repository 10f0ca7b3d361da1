"""How often a replica talks to the ledger, and when it counts it as unreachable."""

from __future__ import annotations

import pytest

from ha_rag.clock import ManualClock
from ha_rag.ledger.sync.link import Link
from ha_rag.ledger.sync.pace import Pace, TokenBucket


@pytest.mark.parametrize("replicas", [1, 10, 100, 3000, 30_000])
@pytest.mark.parametrize("circuits", [1, 12])
def test_all_replicas_together_stay_below_a_fixed_number_of_scripts_per_second(replicas: int, circuits: int) -> None:
    pace = Pace(replicas, circuits)
    report_s = pace.report_s(0.1)
    small = replicas * circuits <= 100
    assert small or replicas * circuits / report_s <= 1000.1
    assert replicas <= 500 or replicas / pace.poll_s <= 500.1
    assert replicas <= 500 or replicas / pace.beat_s <= 500.1
    assert replicas / pace.spread_s == pytest.approx(500)
    assert replicas / (sum(pace.retry_s) / 2) <= 500.1


def test_a_single_replica_keeps_the_intervals_of_the_policy() -> None:
    pace = Pace()
    assert (pace.report_s(0.1), pace.poll_s, pace.beat_s, pace.retry_s) == (0.1, 1.0, 1.0, (0.05, 0.5))


def test_ten_failures_are_reported_at_once_and_then_ten_per_second() -> None:
    burst = TokenBucket()
    assert sum(burst.take(0.0) for _ in range(50)) == 10
    assert sum(burst.take(1.0) for _ in range(50)) == 10
    assert sum(burst.take(1.05) for _ in range(50)) == 0
    assert sum(burst.take(1.95) for _ in range(50)) == 9


def test_in_a_large_fleet_an_outage_does_not_begin_with_ten_reports_from_each_replica() -> None:
    burst = TokenBucket()
    assert sum(burst.take(0.0, slower=30.0) for _ in range(50)) == 1
    assert sum(burst.take(1.0, slower=30.0) for _ in range(50)) == 0
    assert sum(burst.take(3.1, slower=30.0) for _ in range(50)) == 1


def test_two_failures_in_a_row_bring_the_link_down_and_one_reply_brings_it_up() -> None:
    clock = ManualClock()
    link = Link(clock)
    link.answered(1000)
    assert [(link.failed("slow"), link.up) for _ in range(2)] == [(False, True), (True, False)]
    clock.advance(7)
    assert [(link.answered(8000), link.up)] == [(7, True)]


def test_a_link_gives_the_reason_of_the_last_failure() -> None:
    link = Link(ManualClock())
    assert link.reason == "no reply yet"
    link.failed("nobody answers")
    assert link.reason == "nobody answers"


def test_a_failure_between_two_replies_does_not_bring_the_link_down() -> None:
    link = Link(ManualClock())
    for _ in range(5):
        assert link.answered(1000) is None
        assert not link.failed("slow")
    assert link.up


def test_a_ledger_that_is_unreachable_at_the_start_is_lost_once_and_found_once() -> None:
    clock = ManualClock()
    link = Link(clock)
    assert not link.up
    assert [link.failed("refused") for _ in range(4)] == [True, False, False, False]
    clock.advance(3)
    assert link.answered(1000) == 3
    assert link.answered(1000) is None


def test_the_ledgers_time_advances_from_the_last_reply() -> None:
    clock = ManualClock()
    link = Link(clock)
    assert link.ledger_now_ms() is None
    link.answered(50_000)
    clock.advance(1.5)
    assert link.ledger_now_ms() == 51_500
    link.answered(None)
    assert link.ledger_now_ms() == 51_500


def test_a_token_bucket_refills_over_time_up_to_its_size() -> None:
    burst = TokenBucket(size=4.0, per_s=2.0)
    assert sum(burst.take(5000.0) for _ in range(9)) == 4
    assert [burst.take(5000.4), burst.take(5000.5), burst.take(5000.5)] == [False, True, False]
    assert sum(burst.take(6000.0) for _ in range(9)) == 4


def test_in_a_large_fleet_a_token_bucket_is_smaller_and_refills_more_slowly() -> None:
    burst = TokenBucket(size=4.0, per_s=2.0)
    assert sum(burst.take(0.0, slower=2.0) for _ in range(9)) == 2
    assert [burst.take(0.9, slower=2.0), burst.take(1.0, slower=2.0), burst.take(1.0, slower=2.0)] == [
        False, True, False,
    ]  # fmt: skip
    assert sum(burst.take(1000.0, slower=400.0) for _ in range(9)) == 1
