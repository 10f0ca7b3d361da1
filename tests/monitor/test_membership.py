"""Which replicas joined and left from poll to poll."""

from __future__ import annotations

import pytest

from ha_rag.breaker.report import ReplicaReport
from ha_rag.monitor.membership import Attendance, lost_replicas


def beat(incarnation: str, at_ms: int) -> ReplicaReport:
    return ReplicaReport(incarnation, incarnation.partition("~")[0], at_ms, {})


def events(
    *polls: list[ReplicaReport], silent: dict[str, int] | None = None, now_ms: int = 10_000, every_s: float = 3.0
) -> list[tuple[str, str]]:
    """The events of all polls together. By default a replica that misses two polls in a row is reported.

    `silent`: the replicas that did not leave, which Redis goes on listing.
    """
    attendance, found = Attendance(), []
    for number, replicas in enumerate(polls):
        now_s = number * every_s
        found += attendance.after(replicas, silent or {}, now_ms + round(1000 * now_s), now_s, 1.0)
    return [(event.kind, event.by) for event in found]


def test_the_replicas_of_the_first_poll_cause_no_event():
    assert events([beat("a~1", 9_000)]) == []


def test_a_replica_that_stays_causes_no_event():
    assert events([beat("a~1", 9_000)], [beat("a~1", 10_000)], [beat("a~1", 11_000)]) == []


def test_a_new_replica_has_joined():
    assert events([], [beat("a~1", 10_000)]) == [("replica_joined", "a")]


@pytest.mark.parametrize("every_s", [3.0, 5.0, 60.0])
def test_a_replica_that_left_is_not_lost_however_seldom_somebody_looks(every_s):
    assert events([beat("a~1", 4_900)], [], [], every_s=every_s) == [("replica_left", "a")]


@pytest.mark.parametrize("every_s", [3.0, 5.0, 60.0])
def test_a_replica_that_did_not_leave_is_lost(every_s):
    assert events([beat("a~1", 9_900)], [], [], silent={"a~1": 9_900}, every_s=every_s) == [("replica_lost", "a")]


def test_every_replica_of_a_fleet_that_dies_at_once_is_lost():
    silent = {"a~1": 4_900, "b~1": 5_000}
    there = [beat(name, at_ms) for name, at_ms in silent.items()]
    assert events(there, [], [], silent=silent) == [("replica_lost", "a"), ("replica_lost", "b")]


def test_a_lost_replica_is_listed_until_one_of_its_name_is_live():
    silent = {"a~1": 4_000, "b~1": 6_000, "b~2": 8_000}
    found = lost_replicas(silent, [beat("a~2", 9_900)], 10_000)
    assert [(lost.name, lost.silent_s) for lost in found] == [("b", 2.0)]


def test_replicas_that_are_missing_from_one_poll_only_cause_no_event():
    """A Redis that restarts empty, or is flushed, lists no replica until their next heartbeats."""
    there = [beat("a~1", 9_900), beat("b~1", 9_950)]
    assert events(there, [], there, there, every_s=1.0) == []


def test_a_loss_is_told_once():
    assert events([beat("a~1", 4_900)], [], [], [], [], silent={"a~1": 4_900}) == [("replica_lost", "a")]


def test_a_lost_replica_that_comes_back_has_joined():
    there = [beat("a~1", 4_900)]
    assert events(there, [], [], there, silent={"a~1": 4_900}) == [("replica_lost", "a"), ("replica_joined", "a")]


def test_a_restarted_replica_is_another_incarnation():
    polls = [beat("a~1", 12_900)], [beat("a~2", 12_950)], [beat("a~2", 15_950)]
    assert events(*polls) == [("replica_joined", "a"), ("replica_left", "a")]
