"""The values of the law: what a circuit is, as the ledger holds it. Frozen, so a rule can only return a new one.

All times are whole milliseconds of one clock, the ledger's (Redis's, or one process's own); an epoch names one
transition and never goes down.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ha_rag.circuit.streak import EMPTY, Streak

NOTHING: Mapping[Any, Any] = MappingProxyType({})


class CircuitState(enum.StrEnum):
    """What a circuit does with calls: lets them pass, refuses them, or lets a few pass to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class OverrideMode(enum.StrEnum):
    """What an operator may make of a circuit, whatever the calls say."""

    OPEN = "open"
    CLOSED = "closed"
    DISABLED = "disabled"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class OperatorOverride:
    """An operator's word. `until_ms`: when it ends, or None: when somebody deletes it."""

    mode: OverrideMode
    reason: str
    by: str
    until_ms: int | None = None

    def expired(self, now_ms: int) -> bool:
        """Whether its time is up."""
        return self.until_ms is not None and now_ms >= self.until_ms


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes that were counted: `ok` and `failed` exclude each other; `slow` are those of either that took long."""

    ok: int = 0
    failed: int = 0
    slow: int = 0

    @property
    def samples(self) -> int:
        """How many outcomes there are."""
        return self.ok + self.failed

    @property
    def failure_rate(self) -> float:
        """Share that failed, 0 where there are none."""
        return self.failed / self.samples if self.samples else 0.0

    @property
    def slow_rate(self) -> float:
        """Share that took long, 0 where there are none."""
        return self.slow / self.samples if self.samples else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.ok + other.ok, self.failed + other.failed, self.slow + other.slow)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one probe, until `until_ms`, in the epoch that granted it.

    Epoch 0: spent. It is remembered to its end, so that neither its request nor its outcome counts when it comes twice.
    """

    until_ms: int
    epoch: int

    def is_active(self, now_ms: int) -> bool:
        """Whether its probe may be under way."""
        return self.epoch > 0 and self.until_ms > now_ms


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The last batch of a replica that was counted: its number, and when."""

    number: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit as the ledger holds it. The empty one is closed and has seen nothing.

    `open_until_ms`: when the rest ends (meaningful while open). `open_count`: openings since the last long calm.
    `window`: (bucket width in ms, bucket number) -> counts. `voters`: who sees it -> until when (see `rules`).
    `batches`: replica -> the last batch counted. `leases`: token -> lease.
    `streak`, `slow_streak`: of failed and of slow calls. `slowest_probe_ms`: the longest good probe of this recovery.
    `judges_from_ms`: before it a circuit that probes have just closed counts, and does not open.
    `lost_by`: the replica whose probe failed last, and `lost_at_ms` when. `missed_after`,
    `missed_before`: transitions of epochs between these are missing in a ledger that lost its memory and was taught.
    """

    state: CircuitState = CircuitState.CLOSED
    epoch: int = 0
    changed_at_ms: int = 0
    opened_at_ms: int = 0
    open_until_ms: int = 0
    open_count: int = 0
    reason: str = ""
    opened_by: str = ""
    probe_successes: int = 0
    probe_slow: int = 0
    lost_by: str = ""
    lost_at_ms: int = 0
    would_open_at_ms: int = 0
    missed_after: int = 0
    missed_before: int = 0
    streak: Streak = EMPTY
    slow_streak: Streak = EMPTY
    slowest_probe_ms: int = 0
    judges_from_ms: int = 0
    window: Mapping[tuple[int, int], Counts] = field(default_factory=lambda: NOTHING)
    voters: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    batches: Mapping[str, LastBatch] = field(default_factory=lambda: NOTHING)
    leases: Mapping[str, Lease] = field(default_factory=lambda: NOTHING)
    override: OperatorOverride | None = None
