"""From what was read to what is shown: a pure function, which believes no heartbeat blindly."""

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
from tests.monitor.reports import CLOSED, OPEN, beat, look, report, totals


def shown(*looks: Reading) -> FleetSnapshot:
    history = History()
    for reading in looks:
        history = history.after(reading)
    return fleet_snapshot(looks[-1], history)


def test_a_circuit_is_shown_as_the_fleet_believes_it_with_who_differs() -> None:
    told = {"circuits": [{"name": "payments", "state": "open"}]}
    (circuit,) = shown(look(0.0, beat("a", told), beat("b"))).circuits
    assert circuit.state == "closed"
    assert [(one.replica, one.state) for one in circuit.differing] == [("a", "open")]


def test_a_circuit_of_each_replica_is_as_bad_as_at_the_worst_of_them() -> None:
    told = {"circuits": [{"name": "payments", "state": "open"}]}
    (circuit,) = shown(look(0.0, beat("a", told), beat("b"), circuits=(report(CLOSED, scope="replica"),))).circuits
    assert circuit.state == "open"


def test_an_operators_word_is_shown_beside_the_state_that_calls_meet() -> None:
    word = OverrideReport(mode="shadow", reason="try it", by="me", left_s=30.0)
    (circuit,) = shown(look(0.0, circuits=(report(OPEN, override=word),))).circuits
    assert circuit.override is not None
    assert (circuit.state, circuit.override.mode, circuit.override.ends_in_s) == ("open", "shadow", 30.0)


def test_a_replica_is_shown_by_its_last_heartbeat() -> None:
    busy = totals(30, degraded=6, latencies={"10": 30}) | {"in_flight": 64, "max_concurrent": 256, "version": "1.2"}
    first, last = look(0.0, beat("a", totals(10))), look(10.0, beat("a", busy, at_ms=8_000), beat("b"))
    one, other = shown(first, last).replicas
    assert (one.name, one.version, one.load, one.in_flight, one.behind_s) == ("a", "1.2", 0.25, 64, 2.0)
    assert (one.per_s, one.degraded_share) == (2.0, 0.3)
    assert one.p50_ms is not None
    assert (other.per_s, other.p50_ms, other.behind_s) == (0.0, None, 0.0)


def test_the_fleets_traffic_is_that_of_all_its_replicas() -> None:
    looks = (
        look(0.0, beat("a", totals(0)), beat("b", totals(0))),
        look(10.0, beat("a", totals(30, degraded=10)), beat("b", totals(10))),
    )
    traffic = shown(*looks).traffic
    assert (traffic.per_s, traffic.degraded_share) == (4.0, 0.25)


def test_two_replicas_of_one_name_and_two_sets_of_rules_are_warned_of() -> None:
    warnings = shown(
        look(
            0.0,
            beat("a~1", {"policies": {"payments": "x"}}),
            beat("a~2", {"policies": {"payments": "y"}, "limits": ["XADD on the streams"]}),
        )
    ).warnings
    assert [word for word in warnings if "called a" in word]
    assert [word for word in warnings if "different rules for circuit payments" in word]
    assert [word for word in warnings if "Redis refuses XADD" in word]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "circuits", "in_flight", "max_concurrent", "version", "shared_state", "questions", "degraded", "broken", "served",
    "latencies", "policies", "limits", "terms",
]  # fmt: skip


@given(told=st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), min_size=2, max_size=4))
def test_whatever_a_heartbeat_says_the_picture_is_one_that_can_be_sent(told: list[dict[str, Any]]) -> None:
    looks = [look(float(n), beat("a", one), beat("b", told[0])) for n, one in enumerate(told)]
    json.dumps(asdict(shown(*looks)), allow_nan=False)


def test_a_heartbeat_of_a_million_words_makes_no_endless_page() -> None:
    told = {
        "circuits": [{"name": f"c{n}", "state": "open"} for n in range(5_000)],
        "limits": ["x" * 10_000] * 5_000,
        "policies": {f"p{n}": n for n in range(5_000)},
        "served": {f"embedder.t{n}": 1 for n in range(5_000)},
    }
    other = {**told, "policies": {f"p{n}": -n - 1 for n in range(5_000)}}
    assert len(json.dumps(asdict(shown(look(0.0, beat("a", told), beat("b", other)))))) < 100_000
