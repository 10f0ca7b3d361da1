"""FleetSnapshot: everything that a dashboard shows, at one moment. Frozen values; their fields are the wire's names.

Both skins draw this and nothing else, so what the page shows and what the terminal shows cannot differ. Times are Unix
seconds (`*_at`) or seconds (`*_s`); rates and shares are from 0 to 1; `per_s` is a number a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]
Freshness = Literal["fresh", "stale", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An operator's word over a circuit. `ends_in_s`: seconds until it ends by itself; None: until it is ended."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: str
    by: str
    ends_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A circuit at one moment of the past."""

    at: float
    state: State
    failure_rate: float
    slow_rate: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A replica whose calls meet another state than the fleet's: its own calls fail, or it hears no Redis."""

    replica: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPicture:
    """One circuit.

    `scope` "fleet": what all replicas jointly believe. "replica": something inside each process; then the picture is
    the worst replica's and `differing` lists every replica that is not closed.
    `waiting`: half-open, and nobody asks it anything: nothing is wrong, it waits for traffic.
    `history`: oldest first, about one a second over the last minutes.
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

    `behind_s`: seconds that this heartbeat is older than it should be at most 5 of (then the replica is struck off).
    `load`: share of the requests it takes at a time that are at work. Latencies: of its last ten seconds or so; None
    where it answered nothing.
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
    """What the fleet answered in the `seconds` before `at`. `served`: stage -> tier -> answers.

    Latencies: None where it answered nothing.
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
    """What the fleet answers now (over the last ten seconds or so), and what it did, oldest first."""

    per_s: float
    degraded_share: float
    p50_ms: float | None
    p99_ms: float | None
    history: tuple[TrafficPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """Something that happened, once. `id`: its place in the timeline, "" for what only this process saw.

    `kind`: "circuit" (from one state to another), "override", "would_open", "redis_lost", "redis_back", "replica_lost",
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
    """The shared store. `configured` False: this process runs alone, by design. `problem`: "" while all is well."""

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
    """The fleet at one moment, as one process sees it. Immutable; safe everywhere.

    `told_by`: the process that made it. `shared_state`: how fresh what it knows of the fleet is. `reason`: why that is
    not "fresh". `timeline`: newest first. `warnings`: what people should mend.
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
