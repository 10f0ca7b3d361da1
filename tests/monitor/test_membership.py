"""Which replicas joined and left between two polls."""

from __future__ import annotations

import pytest

from ha_rag.breaker.report import ReplicaReport
from ha_rag.monitor.membership import membership_events


def beat(incarnation: str, at_ms: int) -> ReplicaReport:
    return ReplicaReport(incarnation, incarnation.partition("~")[0], at_ms, {})


def events(before: list[ReplicaReport], now: list[ReplicaReport], now_ms: int = 10_000) -> list[tuple[str, str]]:
    return [(event.kind, event.by) for event in membership_events(before, now, now_ms, 1.0)]


def test_a_replica_that_stays_causes_no_event():
    assert events([beat("a~1", 9_000)], [beat("a~1", 10_000)]) == []


def test_a_new_replica_has_joined():
    assert events([], [beat("a~1", 10_000)]) == [("replica_joined", "a")]


@pytest.mark.parametrize(
    ("last_ms", "kind"), [(9_000, "replica_left"), (7_500, "replica_left"), (7_400, "replica_lost")]
)
def test_a_replica_that_vanishes_with_an_old_heartbeat_is_lost(last_ms, kind):
    assert events([beat("a~1", last_ms)], []) == [(kind, "a")]


def test_every_replica_of_a_fleet_that_dies_at_once_is_lost():
    assert events([beat("a~1", 4_900), beat("b~1", 5_000)], []) == [("replica_lost", "a"), ("replica_lost", "b")]


def test_a_restarted_replica_is_another_incarnation():
    assert events([beat("a~1", 9_900)], [beat("a~2", 9_950)]) == [("replica_joined", "a"), ("replica_left", "a")]
