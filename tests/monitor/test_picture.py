"""Building the snapshot from a reading; heartbeats are untrusted."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ha_rag.breaker.report import OverrideReport
from ha_rag.monitor.history import History
from ha_rag.monitor.picture import fleet_snapshot
from ha_rag.monitor.reading import Reading
from ha_rag.monitor.snapshot import FleetSnapshot
from tests.monitor.reports import CLOSED, OPEN, beat, reading, report, totals


def snapshot_of(*readings: Reading) -> FleetSnapshot:
    history = History()
    for each in readings:
        history = history.after(each)
    return fleet_snapshot(readings[-1], history)


def test_a_circuit_has_its_shared_state_and_lists_replicas_that_differ() -> None:
    body = {"circuits": [{"name": "payments", "state": "open"}]}
    (circuit,) = snapshot_of(reading(0.0, beat("a", body), beat("b"))).circuits
    assert circuit.state == "closed"
    assert [(each.replica, each.state) for each in circuit.differing] == [("a", "open")]


def test_a_replica_scoped_circuit_has_the_worst_state_of_all_replicas() -> None:
    body = {"circuits": [{"name": "payments", "state": "open"}]}
    (circuit,) = snapshot_of(
        reading(0.0, beat("a", body), beat("b"), circuits=(report(CLOSED, scope="replica"),))
    ).circuits
    assert circuit.state == "open"


def test_under_an_override_a_replica_scoped_circuit_has_one_state_and_lists_replicas_that_differ() -> None:
    there = [beat(name, {"circuits": [{"name": "payments", "state": state}]}) for name, state in ORDERED]
    override = OverrideReport(mode="open", reason="why", by="me", left_s=None)
    overridden = report(OPEN, scope="replica", override=override, unconfirmed=1)
    (circuit,) = snapshot_of(reading(0.0, *there, circuits=(overridden,))).circuits
    assert (circuit.state, circuit.unconfirmed) == ("open", 1)
    assert [(each.replica, each.state) for each in circuit.differing] == [("b", "closed")]


ORDERED = [("a", "open"), ("b", "closed"), ("c", "open")]


def test_an_override_is_shown_beside_the_state() -> None:
    override = OverrideReport(mode="shadow", reason="try it", by="me", left_s=30.0)
    (circuit,) = snapshot_of(reading(0.0, circuits=(report(OPEN, override=override),))).circuits
    assert circuit.override is not None
    assert (circuit.state, circuit.override.mode, circuit.override.ends_in_s) == ("open", "shadow", 30.0)


def test_a_replica_is_shown_by_its_last_heartbeat() -> None:
    busy = totals(30, degraded=6, latencies={"10": 30}) | {"in_flight": 64, "max_concurrent": 256, "version": "1.2"}
    first, last = reading(0.0, beat("a", totals(10))), reading(10.0, beat("a", busy, at_ms=8_000), beat("b"))
    one, other = snapshot_of(first, last).replicas
    assert (one.name, one.version, one.load, one.in_flight, one.behind_s) == ("a", "1.2", 0.25, 64, 2.0)
    assert (one.per_s, one.degraded_share) == (2.0, 0.3)
    assert one.p50_ms is not None
    assert (other.per_s, other.p50_ms, other.behind_s) == (0.0, None, 0.0)


def test_the_fleets_traffic_is_the_sum_over_its_replicas() -> None:
    readings = (
        reading(0.0, beat("a", totals(0)), beat("b", totals(0))),
        reading(10.0, beat("a", totals(30, degraded=10)), beat("b", totals(10))),
    )
    traffic = snapshot_of(*readings).traffic
    assert (traffic.per_s, traffic.degraded_share) == (4.0, 0.25)


def test_the_share_of_lost_questions_counts_those_refused_broken_off_and_without_a_generator() -> None:
    before, after = totals(0), totals(90, served={"generator.plain": 10}, unanswered=10) | {"broken": 5}
    traffic = snapshot_of(reading(0.0, beat("a", before)), reading(10.0, beat("a", after))).traffic
    assert traffic.lost_share == 0.25


def test_the_tiers_are_those_that_replicas_tell_in_their_order() -> None:
    told = {"tiers": {"embedder": ["cloud", "local", 7, ""], "nonsense": ["x"], "generator": "x"}}
    assert snapshot_of(reading(0.0, beat("a", told), beat("b"))).tiers == {"embedder": ("cloud", "local")}


def test_duplicate_names_and_different_rules_cause_warnings() -> None:
    warnings = snapshot_of(
        reading(
            0.0,
            beat("a~1", {"policies": {"payments": "x"}}),
            beat("a~2", {"policies": {"payments": "y"}, "limits": ["XADD on the streams"]}),
        )
    ).warnings
    assert [warning for warning in warnings if "called a" in warning]
    assert [warning for warning in warnings if "different rules for circuit payments" in warning]
    assert [warning for warning in warnings if "Redis refuses XADD" in warning]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "circuits", "in_flight", "max_concurrent", "version", "shared_state", "questions", "degraded", "broken", "served",
    "latencies", "policies", "limits", "terms", "tiers", "unanswered",
]  # fmt: skip


@given(bodies=st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), min_size=2, max_size=4))
def test_any_heartbeat_yields_a_snapshot_that_can_be_serialized(bodies: list[dict[str, Any]]) -> None:
    readings = [reading(float(n), beat("a", each), beat("b", bodies[0])) for n, each in enumerate(bodies)]
    json.dumps(asdict(snapshot_of(*readings)), allow_nan=False)


def test_a_huge_heartbeat_yields_a_snapshot_of_bounded_size() -> None:
    body = {
        "circuits": [{"name": f"c{n}", "state": "open"} for n in range(5_000)],
        "limits": ["x" * 10_000] * 5_000,
        "policies": {f"p{n}": n for n in range(5_000)},
        "served": {f"embedder.t{n}": 1 for n in range(5_000)},
    }
    other = {**body, "policies": {f"p{n}": -n - 1 for n in range(5_000)}}
    assert len(json.dumps(asdict(snapshot_of(reading(0.0, beat("a", body), beat("b", other)))))) < 100_000
