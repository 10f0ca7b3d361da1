"""A hundred made-up fleets, always the same ones: what every renderer of a fleet is given."""

from __future__ import annotations

import random
from dataclasses import replace

from ha_rag.monitor.impact import with_impact
from ha_rag.monitor.snapshot import (
    CircuitPicture,
    Differing,
    FleetSnapshot,
    LostReplica,
    Opening,
    Override,
    RedisPicture,
    State,
    TrafficPoint,
)
from tests.monitor.pictures import CALM, NOW, circuit, picture, replica

TIERS = {
    "embedder": ("primary", "secondary"), "retriever": ("hybrid", "lexical"),
    "reranker": ("cross",), "generator": ("cloud", "local", "extractive"),
}  # fmt: skip
STATES: tuple[State, ...] = ("closed", "closed", "closed", "half_open", "open")
REASONS = ("12 of 12 failed, 0 slow", "a probe ended timeout", "<b>bold</b> \u202e turned", "")


def made_up_fleets(number: int = 100) -> list[FleetSnapshot]:
    """The fleets, each with its impact."""
    return [with_impact(_fleet(random.Random(seed))) for seed in range(number)]


def _fleet(draw: random.Random) -> FleetSnapshot:
    names = [f"{stage}.{tier}" for stage, tiers in TIERS.items() for tier in tiers]
    if draw.random() < 0.2:
        names = ["payments", "stock", "mail"]
    circuits = tuple(_circuit(draw, name) for name in names)
    per_s = draw.choice([0.0, 5.0, 120.5])
    traffic = replace(
        CALM,
        per_s=per_s,
        degraded_share=draw.choice([0.0, 0.004, 0.38, 1.0]) if per_s else 0.0,
        lost_share=draw.choice([0.0, 0.0, 0.0, 0.002, 0.25]) if per_s else 0.0,
        p99_ms=draw.choice([4.2, 420.0, 2350.0]) if per_s else None,
        history=(TrafficPoint(at=NOW, seconds=1.0, questions=9, degraded=0, broken=0, served=_served(draw)),),
    )
    return picture(
        circuits=circuits,
        tiers=TIERS if "payments" not in names and draw.random() < 0.8 else {},
        traffic=traffic,
        replicas=tuple(replica(f"rag-{n}") for n in range(draw.choice([0, 1, 3, 3, 3]))),
        lost=(LostReplica(name="rag-9", silent_s=7.0),) if draw.random() < 0.2 else (),
        redis=RedisPicture(configured=True, reachable=draw.random() < 0.8, problem="refused"),
    )


def _served(draw: random.Random) -> dict[str, dict[str, int]]:
    return {stage: {tier: draw.choice([0, 3, 9]) for tier in tiers} for stage, tiers in TIERS.items()}


def _circuit(draw: random.Random, name: str) -> CircuitPicture:
    state = draw.choice(STATES)
    override = None
    if draw.random() < 0.1:
        override = Override(mode="open", reason=draw.choice(REASONS), by="kim", ends_in_s=draw.choice([None, 600.0]))
        state = "open"
    opened = Opening(at=NOW - 42, reason=draw.choice(REASONS), by="rag-2", samples=12, failed=12)
    return circuit(
        name=name,
        state=state,
        waiting=draw.random() < 0.5,
        override=override,
        opened=opened if state != "closed" and override is None else None,
        recovers_in_s=3.0 if state == "open" else None,
        differing=(Differing(replica="rag-2", state="open"),) if draw.random() < 0.1 else (),
    )
