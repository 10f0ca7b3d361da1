"""Builders of fleet snapshots for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ha_rag.monitor.snapshot import (
    CircuitPicture,
    FleetSnapshot,
    RedisPicture,
    ReplicaPicture,
    TimelineEvent,
    Traffic,
)

NOW = 10_000.0

CIRCUIT = CircuitPicture(
    name="embedder.primary",
    scope="fleet",
    state="closed",
    waiting=False,
    override=None,
    failure_rate=0.0,
    slow_rate=0.0,
    samples=0,
    recovers_in_s=None,
    reason="",
    opened_by="",
    voters=(),
    differing=(),
    open_count=0,
    epoch=0,
    changed_at=None,
    history=(),
)
CALM = Traffic(per_s=5.0, degraded_share=0.0, p50_ms=2.0, p99_ms=9.0, history=())


def circuit(**fields: Any) -> CircuitPicture:
    return replace(CIRCUIT, **fields)


def replica(name: str) -> ReplicaPicture:
    return ReplicaPicture(
        name=name,
        incarnation=f"{name}~1",
        version="1",
        shared_state="fresh",
        behind_s=0.0,
        load=0.0,
        in_flight=0,
        per_s=1.0,
        degraded_share=0.0,
        p50_ms=None,
        p99_ms=None,
    )


def timeline_event(kind: str, at: float, **fields: Any) -> TimelineEvent:
    return TimelineEvent(id="", at=at, kind=kind, **fields)


def opening(at: float, name: str = "embedder.primary") -> TimelineEvent:
    return TimelineEvent(id="1-0@c", at=at, kind="circuit", circuit=name, before="closed", after="open")


def picture(at: float = NOW, **fields: Any) -> FleetSnapshot:
    calm = FleetSnapshot(
        at=at,
        told_by="observer",
        shared_state="fresh",
        reason="",
        circuits=(circuit(),),
        replicas=(replica("a"),),
        traffic=CALM,
        timeline=(),
        redis=RedisPicture(configured=True, reachable=True),
        warnings=(),
    )
    return replace(calm, **fields)


def degraded(share: float, per_s: float = 5.0) -> Traffic:
    return replace(CALM, degraded_share=share, per_s=per_s)
