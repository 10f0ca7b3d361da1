"""FleetSnapshot: everything that a dashboard shows, at one moment. Immutable; field names are those of the JSON.

The web page and the terminal view draw the same snapshot, so they cannot differ. Times are Unix seconds (`at`, `*_at`)
or durations in seconds (`*_s`); rates and shares are from 0 to 1; `per_s` is a number per second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ha_rag.messages import Quality
from ha_rag.telemetry.satisfaction import Cost, Satisfaction

State = Literal["closed", "open", "half_open"]
Freshness = Literal["fresh", "stale", "local"]
Level = Literal["well", "reduced", "failing"]


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
    """A replica that applies another state than the fleet's.

    Its own calls fail, Redis is unreachable for it, or an override has not reached it yet.
    """

    replica: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a circuit that is not closed opened, also after probes that failed. The counts are those of that moment.

    `at`: Unix seconds. `samples` 0: the counts are unknown.
    """

    at: float
    reason: str
    by: str
    samples: int = 0
    failed: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPicture:
    """One circuit.

    `scope` "fleet": the state is shared by all replicas. "replica": each replica has its own. Under an override that is
    one state for all, and `differing` lists the replicas that differ. Otherwise this is the worst of them, and
    `differing` lists every replica that is not closed.
    `unconfirmed`: how many other replicas have not confirmed the override, or its end; None: there was none, or it is
    unknown.
    `waiting`: half-open without traffic: the next call is its probe.
    `opened`: how it opened, as long as it is not closed; None: it is closed, or an operator opened it.
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
    unconfirmed: int | None = None
    opened: Opening | None = None


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
class LostReplica:
    """A replica whose heartbeats stopped although it did not leave. Listed for about a minute; `silent_s`: so far."""

    name: str
    silent_s: float


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
    """The fleet's traffic over about the last ten seconds, and its history, oldest first.

    `lost_share`: of the questions, those that were refused, failed, broke off, or got only the last resort's sentence.
    """

    per_s: float
    degraded_share: float
    p50_ms: float | None
    p99_ms: float | None
    history: tuple[TrafficPoint, ...]
    lost_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """One event. `id`: its position in the timeline; "" if only this process saw it.

    `kind`: "circuit" (a transition), "override" (it began or ended), "restored" (Redis had lost the circuit),
    "would_open", "redis_lost", "redis_back", "replica_lost", "replica_left", "replica_joined", "policy_mismatch",
    "name_taken". `text`: what happened, in words; `reason`, `by` and the counts add to it. `until`: when the
    override will end, in Unix seconds; None: there is none, it has no end, or a replica of 0.1.0 set it.
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
    text: str = ""
    until: float | None = None


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
class TierPicture:
    """A tier on the map, over about the last minute.

    `circuit`: its name; "" for a last resort, which has none. `answers`: how many it served; `share`: of its stage's.
    Latencies: of its successful attempts; None without any.
    """

    name: str
    circuit: str
    answers: int
    share: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePicture:
    """A stage on the map: its tiers in order of preference, and the last resort if it served."""

    name: str
    tiers: tuple[TierPicture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What users get, in words: what the page and the terminal say first (`ha_rag/monitor/impact.py`).

    `level`: the colour. `headline`: one line. `problems`: what is wrong, the worst first; `notes`: what is not as it
    should be, without an effect on answers. `title`: of the browser's tab; its icon is that of the level.
    """

    level: Level
    headline: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSnapshot:
    """The fleet at one moment, as one process sees it. Immutable; thread-safe.

    `told_by`: the process that made it. `shared_state`: freshness of the shared state in that process. `reason`: why it
    is not "fresh". `timeline`: newest first. `warnings`: problems that people should fix. `satisfaction`: what people
    thought of answers, by degradation and by tier. `quality`: what to expect of a question that is asked now, by the
    tiers that are up in the process that made it; None where that answers no questions. `cost_of_degrading`: None until
    answers of both kinds were rated. `tiers`: stage -> its tiers' names in order of preference; empty where no replica
    says. `stages`: the map; empty from replicas of 0.1.0, whose `impact` is None.
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
    satisfaction: tuple[Satisfaction, ...] = ()
    quality: Quality | None = None
    cost_of_degrading: Cost | None = None
    tiers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lost: tuple[LostReplica, ...] = ()
    stages: tuple[StagePicture, ...] = ()
    impact: Impact | None = None
