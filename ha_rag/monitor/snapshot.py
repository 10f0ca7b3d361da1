"""FleetSnapshot: everything that a dashboard shows, at one moment. Immutable; field names are those of the JSON.

The web page and the terminal view draw the same snapshot, so they cannot differ. Times are Unix seconds (`at`, `*_at`)
or durations in seconds (`*_s`); rates and shares are from 0 to 1; `per_s` is a number per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]
Freshness = Literal["fresh", "stale", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An operator's override of a circuit. `ends_in_s`: seconds until it expires; None: it stays until ended."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: str
    by: str
    ends_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A circuit at one moment in the past."""

    at: float
    state: State
    failure_rate: float
    slow_rate: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A replica that applies another state than the shared one: its own calls fail, or Redis is unreachable for it."""

    replica: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPicture:
    """One circuit.

    `scope` "fleet": the state is shared by all replicas. "replica": each replica has its own; then this is the worst of
    them and `differing` lists every replica that is not closed.
    `waiting`: half-open without traffic; not a fault.
    `history`: oldest first, about one point per second over the last minutes.
    """

    name: str
    scope: Literal["fleet", "replica"]
    state: State
    waiting: bool
    override: Override | None
    failure_rate: float
    slow_rate: float
    samples: int
    recovers_in_s: float | None
    reason: str
    opened_by: str
    voters: tuple[str, ...]
    differing: tuple[Differing, ...]
    open_count: int
    epoch: int
    changed_at: float | None
    history: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPicture:
    """One replica, by its last heartbeat.

    `behind_s`: age of this heartbeat in seconds; beyond about 5 s the replica is removed. `load`: requests in flight as
    a share of its limit. Latencies: over about the last ten seconds; None without answers.
    """

    name: str
    incarnation: str
    version: str
    shared_state: Freshness
    behind_s: float
    load: float
    in_flight: int
    per_s: float
    degraded_share: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPoint:
    """The fleet's traffic in the `seconds` before `at`. `served`: stage -> tier -> answers.

    Latencies: None without answers.
    """

    at: float
    seconds: float
    questions: int
    degraded: int
    broken: int
    served: dict[str, dict[str, int]]
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The fleet's traffic over about the last ten seconds, and its history, oldest first."""

    per_s: float
    degraded_share: float
    p50_ms: float | None
    p99_ms: float | None
    history: tuple[TrafficPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """One event. `id`: its position in the timeline; "" if only this process saw it.

    `kind`: "circuit" (a transition), "override", "would_open", "redis_lost", "redis_back", "replica_lost",
    "replica_left", "replica_joined", "policy_mismatch", "name_taken".
    """

    id: str
    at: float
    kind: str
    circuit: str = ""
    before: str = ""
    after: str = ""
    reason: str = ""
    by: str = ""
    samples: int = 0
    failed: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPicture:
    """The health of Redis. `configured` False: this process runs without Redis. `problem`: "" if there is none."""

    configured: bool
    reachable: bool
    problem: str = ""
    version: str = ""
    round_trip_ms: float | None = None
    used_bytes: int | None = None
    limit_bytes: int | None = None
    clients: int | None = None
    commands_per_s: float | None = None
    role: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSnapshot:
    """The fleet at one moment, as one process sees it. Immutable; thread-safe.

    `told_by`: the process that made it. `shared_state`: freshness of the shared state in that process. `reason`: why it
    is not "fresh". `timeline`: newest first. `warnings`: problems that people should fix.
    """

    at: float
    told_by: str
    shared_state: Freshness
    reason: str
    circuits: tuple[CircuitPicture, ...]
    replicas: tuple[ReplicaPicture, ...]
    traffic: Traffic
    timeline: tuple[TimelineEvent, ...]
    redis: RedisPicture
    warnings: tuple[str, ...]
