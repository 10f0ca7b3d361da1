"""Who came and who went between two looks."""

from __future__ import annotations

import pytest

from ha_rag.breaker.report import ReplicaReport
from ha_rag.monitor.arrivals import arrivals


def beat(incarnation: str, at_ms: int) -> ReplicaReport:
    return ReplicaReport(incarnation, incarnation.partition("~")[0], at_ms, {})


def told(before: list[ReplicaReport], now: list[ReplicaReport], now_ms: int = 10_000) -> list[tuple[str, str]]:
    return [(event.kind, event.by) for event in arrivals(before, now, now_ms, 1.0)]


def test_nothing_is_told_of_those_who_stay():
    assert told([beat("a~1", 9_000)], [beat("a~1", 10_000)]) == []


def test_who_comes_is_told():
    assert told([], [beat("a~1", 10_000)]) == [("replica_joined", "a")]


@pytest.mark.parametrize(
    ("last_ms", "kind"), [(9_000, "replica_left"), (7_500, "replica_left"), (7_400, "replica_lost")]
)
def test_who_vanishes_with_an_old_heartbeat_did_not_say_goodbye(last_ms, kind):
    assert told([beat("a~1", last_ms)], []) == [(kind, "a")]


def test_a_whole_fleet_that_dies_at_once_is_lost():
    assert told([beat("a~1", 4_900), beat("b~1", 5_000)], []) == [("replica_lost", "a"), ("replica_lost", "b")]


def test_a_replica_that_was_started_anew_is_another_incarnation():
    assert told([beat("a~1", 9_900)], [beat("a~2", 9_950)]) == [("replica_joined", "a"), ("replica_left", "a")]
