"""Made-up fleets for the tests of renderers, each in a state that people meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ha_rag.monitor.snapshot import (
    Differing,
    FleetSnapshot,
    Override,
    Rate,
    RedisPicture,
    State,
    TimelineEvent,
    Traffic,
    TrafficPoint,
)
from tests.monitor.pictures import NOW, circuit, opening, picture, replica, timeline_event

REASON = "12 of 12 failed, 0 slow"
LONG_REASON = "the provider announced by mail that its data centre moves and that calls fail until the afternoon"
LONG_NAME = "azure-openai-text-embedding-3-large-westeurope-production-second"
WIDE_NAME = "埋め込みサービス東京リージョン"
NAMES = (
    "embedder.primary", "embedder.secondary", "generator.extractive", "generator.primary", "retriever.lexical",
    "retriever.primary",
)  # fmt: skip


def history(state: State = "closed", failure_rate: float = 0.0, points: int = 120) -> tuple[Rate, ...]:
    return tuple(
        Rate(at=NOW - points + n, state=state, failure_rate=failure_rate, slow_rate=0.0, samples=9)
        for n in range(points)
    )


def served(questions: int = 12, **tiers: dict[str, int]) -> Traffic:
    """Traffic of the last second: stage -> tier -> answers."""
    usual = {"embedder": {"primary": questions}, "retriever": {"primary": questions}} | tiers
    point = TrafficPoint(at=NOW - 1, seconds=1.0, questions=questions, degraded=0, broken=0, served=usual)
    return Traffic(per_s=float(questions), degraded_share=0.0, p50_ms=112.0, p99_ms=420.0, history=(point,))


def fleet(**changed: dict[str, Any]) -> FleetSnapshot:
    """Three stages of two tiers. `changed`: circuit's name with __ for the dot -> fields."""
    fields = {name.replace("__", "."): more for name, more in changed.items()}
    circuits = [circuit(name=name, samples=40, history=history()) for name in NAMES]
    return picture(
        circuits=tuple(replace(one, **fields.get(one.name, {})) for one in circuits),
        replicas=tuple(replica(f"rag-{n}") for n in (1, 2, 3)),
        traffic=served(generator={"primary": 11, "extractive": 1}),
        timeline=(opening(NOW - 42), timeline_event("replica_joined", NOW - 400, by="rag-3")),
        redis=RedisPicture(configured=True, reachable=True, version="7.4.1", round_trip_ms=0.4, role="master"),
    )


OPEN = {
    "state": "open", "failure_rate": 1.0, "samples": 12, "recovers_in_s": 4.2, "reason": REASON,
    "voters": ("rag-2",), "history": history("open", 1.0),
}  # fmt: skip
BY_HAND = Override(mode="open", reason=LONG_REASON, by="operator at 10.0.0.4", ends_in_s=1200.0)
EVENTS = tuple(
    TimelineEvent(id="", at=NOW - n, kind="circuit", circuit=NAMES[n % 6], after="open", reason=LONG_REASON, by="rag-1")
    for n in range(60)
)

OUTAGE = replace(
    fleet(embedder__primary=OPEN),
    traffic=served(embedder={"secondary": 12}, generator={"primary": 11, "extractive": 1}),
)
NAMED_LONG = replace(
    OUTAGE,
    circuits=(
        *OUTAGE.circuits,
        circuit(name=f"embedder.{LONG_NAME}", state="open", reason=LONG_REASON, recovers_in_s=61.0),
        circuit(name=f"generator.{WIDE_NAME}", state="open", reason="接続がタイムアウトしました。" * 4),
    ),
    replicas=(replica(f"{LONG_NAME}.eu-west-1.internal"), replica("レプリカ東京")),
)
MANY = replace(
    OUTAGE,
    circuits=(*OUTAGE.circuits, *(circuit(name=f"payments.vendor-{n:02}") for n in range(14))),
    replicas=tuple(replace(replica(f"rag-{n:02}"), behind_s=3.4 if n == 17 else 0.0) for n in range(30)),
    timeline=EVENTS,
    warnings=tuple(f"replicas have different rules for circuit payments.vendor-{n:02}: rag-1, rag-2" for n in range(9)),
)
FLEETS = {
    "well": fleet(),
    "outage": OUTAGE,
    "half-open": fleet(embedder__primary={"state": "half_open", "reason": REASON}),
    "waiting": fleet(embedder__primary={"state": "half_open", "waiting": True, "reason": REASON}),
    "by hand": fleet(embedder__primary=OPEN | {"override": BY_HAND, "recovers_in_s": None, "unconfirmed": 2}),
    "disabled": fleet(generator__primary={"override": replace(BY_HAND, mode="disabled")}),
    "differing": fleet(retriever__primary={"differing": (Differing(replica="rag-3", state="open"),)}),
    "without Redis": replace(
        OUTAGE,
        shared_state="local",
        reason="Redis is unreachable",
        redis=RedisPicture(configured=True, reachable=False, problem="Connection refused " * 9),
    ),
    "long names": NAMED_LONG,
    "many": MANY,
    "nothing": replace(fleet(), circuits=(), replicas=(), timeline=()),
    "last resort": replace(
        fleet(generator__primary=OPEN, generator__extractive=OPEN), traffic=served(generator={"plain": 12})
    ),
    "no traffic": replace(
        fleet(), traffic=Traffic(per_s=0.0, degraded_share=0.0, p50_ms=None, p99_ms=None, history=())
    ),
}
