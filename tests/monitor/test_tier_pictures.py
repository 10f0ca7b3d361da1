"""The map: tiers in order of preference, with what went through them within the last minute."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.monitor.history import History
from ha_rag.monitor.picture import fleet_snapshot
from ha_rag.monitor.snapshot import FleetSnapshot, TierPicture
from ha_rag.telemetry import sketch
from tests.monitor.reports import beat, reading, report, totals

TIERS = {"tiers": {"embedder": ["cloud", "local"]}}
CIRCUITS = (report(name="embedder.cloud"), report(name="embedder.local"), report(name="payments"))


def told(questions: int, served: dict[str, int], **latencies: int) -> dict[str, Any]:
    """A heartbeat: `latencies`: tier -> ms of each of its attempts."""
    sketches = {f"embedder.{tier}": {str(sketch.bucket(ms)): questions} for tier, ms in latencies.items()}
    return TIERS | totals(questions, served=served, tier_sketches=sketches)


def snapshot_at(*beats: tuple[float, list[dict[str, Any]]]) -> FleetSnapshot:
    history = History()
    for at, bodies in beats:
        polled = reading(at, *(beat(f"rag-{n}", body) for n, body in enumerate(bodies)), circuits=CIRCUITS)
        history = history.after(polled)
    return fleet_snapshot(polled, history)


def tiers(snapshot: FleetSnapshot) -> dict[str, TierPicture]:
    (stage,) = snapshot.stages
    return {tier.name: tier for tier in stage.tiers}


def test_each_tier_has_its_share_of_the_answers_and_its_own_latencies_over_all_replicas() -> None:
    before = (1.0, [told(0, {}), told(0, {})])
    after = (2.0, [told(30, {"embedder.cloud": 30}, cloud=400), told(10, {"embedder.local": 10}, local=20)])
    found = tiers(snapshot_at(before, after))
    assert list(found) == ["cloud", "local"]
    assert (found["cloud"].share, found["cloud"].answers, found["local"].share) == (0.75, 30, 0.25)
    assert found["cloud"].p99_ms == pytest.approx(400, rel=0.02)
    assert found["local"].p50_ms == pytest.approx(20, rel=0.02)


def test_what_is_older_than_a_minute_is_gone() -> None:
    work = told(30, {"embedder.cloud": 30}, cloud=400)
    polls = [(1.0, [told(0, {})]), *((float(at), [work]) for at in range(2, 70))]
    found = tiers(snapshot_at(*polls))["cloud"]
    assert (found.answers, found.share, found.p50_ms) == (0, 0.0, None)


def test_a_last_resort_is_on_the_map_while_it_serves() -> None:
    found = tiers(snapshot_at((1.0, [told(0, {})]), (2.0, [told(4, {"embedder.zero": 4})])))
    assert (found["zero"].circuit, found["zero"].share) == ("", 1.0)


def test_circuits_outside_the_pipeline_are_not_on_the_map() -> None:
    assert [stage.name for stage in snapshot_at((1.0, [told(0, {})])).stages] == ["embedder"]
