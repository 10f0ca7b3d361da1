"""Incidents: when they begin and when they are resolved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.alerting.conditions import (
    ConditionTimes,
    current_incidents,
    opening_incident,
    redis_incident,
    resolution,
    unreported,
)
from ha_rag.alerting.incident import Incident
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.snapshot import FleetSnapshot, Override, RedisPicture
from tests.monitor.pictures import NOW, circuit, degraded, opening, picture, replica, timeline_event

POLICY = AlertPolicy()
OPENED = StreamEntry(
    "9990000-0", "embedder.primary", 0, 1, "closed", "open", "threshold reached", "5 of 5", "a~x", 0, 5, 0
)


def incident_of(event: StreamEntry) -> Incident:
    incident = opening_incident(event)
    assert incident is not None
    return incident


REPORTED = incident_of(OPENED)
OPEN = circuit(state="open", recovers_in_s=5.0, reason="5 of 5 calls failed", open_count=3)


def kinds(snapshot: FleetSnapshot, times: ConditionTimes | None = None, active: tuple[Incident, ...] = ()) -> list[str]:
    times = (times or ConditionTimes()).after(snapshot, POLICY)
    return [incident.kind for incident in current_incidents(snapshot, times, POLICY, {i.key: i for i in active})]


def resolved(incident: Incident, snapshot: FleetSnapshot, times: ConditionTimes | None = None) -> str:
    return resolution(incident, snapshot, (times or ConditionTimes()).after(snapshot, POLICY), POLICY)


def test_a_healthy_fleet_has_no_incidents():
    assert kinds(picture()) == []


# ---- openings ---


def test_an_open_circuit_that_redis_had_lost_is_not_said_to_have_opened():
    restored = replace(OPENED, trigger="ledger restored, resting", reason="5 of 5 failed", failed=0, ok=0)
    incident = incident_of(restored)
    assert incident.title == "circuit embedder.primary is open"
    assert incident.text == "Redis had lost it; 5 of 5 failed; restored by a"


def test_an_opening_is_an_incident_with_counts_and_replica():
    assert (
        Incident(
            key="open:embedder.primary",
            kind="open",
            subject="embedder.primary",
            title="circuit embedder.primary opened",
            text="5 of 5; 5 of 5 calls failed; seen by a",
            since_ms=9990000,
        )
        == REPORTED
    )


@pytest.mark.parametrize(
    "event",
    [
        replace(OPENED, before="half_open"),
        replace(OPENED, before="open"),
        replace(OPENED, after="closed"),
        replace(OPENED, trigger="forced open"),
    ],
    ids=["a failed probe", "no change", "a closing", "an override"],
)
def test_other_events_are_not_openings(event):
    assert opening_incident(event) is None


def test_an_opening_is_resolved_once_the_circuit_is_closed_or_without_traffic():
    assert resolved(REPORTED, picture(circuits=(OPEN,))) == ""
    assert resolved(REPORTED, picture(circuits=(circuit(state="half_open"),))) == ""
    assert (
        resolved(REPORTED, picture(circuits=(circuit(state="half_open", waiting=True),))) == "it is waiting for traffic"
    )
    assert resolved(REPORTED, picture()) == "it has closed"
    assert resolved(REPORTED, picture(circuits=())) == "it is no longer in use"


def test_a_circuit_that_stays_open_is_a_critical_incident():
    young = replace(REPORTED, since_ms=round(1000 * (NOW - 59)))
    old = replace(REPORTED, since_ms=round(1000 * (NOW - 60)))

    assert kinds(picture(circuits=(OPEN,)), active=(young,)) == []
    assert kinds(picture(circuits=(OPEN,)), active=(old,)) == ["long_open"]
    (incident,) = current_incidents(picture(circuits=(OPEN,)), ConditionTimes(), POLICY, {old.key: old})
    assert incident.critical
    assert resolved(incident, picture(circuits=(OPEN,))) == ""
    assert resolved(incident, picture()) == "it has closed"


def test_a_waiting_or_overridden_circuit_is_no_long_open_incident():
    old = replace(REPORTED, since_ms=0)
    forced = Override(mode="open", reason="maintenance", by="op", ends_in_s=None)

    assert kinds(picture(circuits=(circuit(state="half_open", waiting=True),)), active=(old,)) == []
    assert kinds(picture(circuits=(replace(OPEN, override=forced),)), active=(old,)) == []


def test_many_openings_are_flapping_and_replace_single_openings():
    often = tuple(opening(NOW - 10 * n) for n in range(3))

    assert kinds(picture(timeline=often[:2])) == []
    assert kinds(picture(timeline=often)) == ["flapping"]
    assert kinds(picture(timeline=(*often[:2], opening(NOW - 301)))) == []

    (flapping,) = current_incidents(picture(timeline=often), ConditionTimes(), POLICY, {})
    assert unreported([REPORTED], {flapping.key: flapping}) == []
    assert resolved(flapping, picture(timeline=often)) == ""
    assert resolved(flapping, picture(timeline=(opening(NOW - 301),))) == "it has not opened again"


# ---- replicas ---


def test_a_lost_replica_is_an_incident_until_its_name_is_back():
    lost = timeline_event("replica_lost", NOW - 5, by="b", reason="no heartbeat for 6 s")

    (incident,) = current_incidents(picture(timeline=(lost,)), ConditionTimes(), POLICY, {})

    assert (incident.key, incident.text) == ("replica_lost:b", "no heartbeat for 6 s")
    assert resolved(incident, picture(timeline=(lost,))) == ""
    assert resolved(incident, picture(replicas=(replica("a"), replica("b")))) == "it is back"
    assert resolved(incident, picture(at=NOW + 3600)) == "it has not come back"


def test_a_replica_that_stopped_cleanly_or_is_back_is_no_incident():
    lost, back, left = (
        timeline_event(kind, at, by="b")
        for kind, at in [("replica_lost", NOW - 30), ("replica_joined", NOW - 20), ("replica_left", NOW - 10)]
    )

    assert kinds(picture(timeline=(left,))) == []
    assert kinds(picture(timeline=(lost,), replicas=(replica("b"),))) == []
    assert kinds(picture(timeline=(left, back, lost))) == []


# ---- answers and Redis ---


def test_degraded_answers_are_an_incident_once_they_have_lasted():
    times = ConditionTimes().after(picture(at=NOW - 60, traffic=degraded(0.5)), POLICY)

    assert kinds(picture(at=NOW - 1, traffic=degraded(0.9)), times) == []
    assert kinds(picture(traffic=degraded(0.9)), times) == ["degraded"]
    assert kinds(picture(traffic=degraded(0.49)), times) == []
    assert kinds(picture(traffic=degraded(0.9, per_s=0.0)), times) == []


def test_a_moment_without_degraded_answers_restarts_the_time():
    times = ConditionTimes().after(picture(at=NOW - 60, traffic=degraded(0.9)), POLICY)
    times = times.after(picture(at=NOW - 30), POLICY)

    assert kinds(picture(traffic=degraded(0.9)), times) == []


def test_redis_is_an_incident_once_it_was_unreachable_for_a_while():
    unreachable = RedisPicture(configured=True, reachable=False, problem="refused")
    times = ConditionTimes().after(picture(at=NOW - 5, redis=unreachable), POLICY)

    assert (
        redis_incident(picture(at=NOW - 1, redis=unreachable), times.after(picture(redis=unreachable), POLICY), POLICY)
        is None
    )
    incident = redis_incident(picture(redis=unreachable), times, POLICY)
    assert incident is not None
    assert (incident.key, incident.critical, incident.text[:7]) == ("redis_lost", True, "refused")
    assert resolved(incident, picture(), times) == "it is reachable again"


def test_an_incident_survives_serialization_and_invalid_input_is_ignored():
    assert Incident.from_wire(REPORTED.wire()) == REPORTED
    assert [Incident.from_wire(text) for text in ("", "[]", "{}", '{"key": 1, "no": 2}')] == [None] * 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"degraded_share": 50}, "degraded_share = 50: must be above 0 and at most 1"),
        ({"flap_opens": 1}, "flap_opens = 1: must be a whole number of at least 2"),
        ({"alert_after_s": float("nan")}, "alert_after_s = nan: must be a number"),
        ({"group_s": -1}, "group_s = -1: must be between 0 and 86400"),
    ],
)
def test_an_invalid_policy_is_refused_with_its_field(fields, message):
    with pytest.raises(ConfigurationError, match=message):
        AlertPolicy(**fields)
