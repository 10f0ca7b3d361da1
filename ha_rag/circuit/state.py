"""A circuit's state as the ledger stores it. Frozen: a rule returns a new one.

All times are whole milliseconds of one clock, the ledger's (that of Redis, or of one process). An epoch identifies one
transition and never decreases.
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
    """What a circuit does with calls: admits them, refuses them, or admits a few probes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


BY_SEVERITY = (CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN)
"""The states, the worst last."""


class OverrideMode(enum.StrEnum):
    """What an operator can set a circuit to, whatever the outcomes of calls."""

    OPEN = "open"
    CLOSED = "closed"
    DISABLED = "disabled"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class OperatorOverride:
    """An operator's override. `until_ms`: when it ends, or None: until somebody ends it."""

    mode: OverrideMode
    reason: str
    by: str
    until_ms: int | None = None

    def is_same_as(self, other: OperatorOverride) -> bool:
        """Whether it is the same override: its end moves a little when a ledger is restored."""
        return (self.mode, self.reason, self.by) == (other.mode, other.reason, other.by)

    def expired(self, now_ms: int) -> bool:
        """Whether it has ended by itself."""
        return self.until_ms is not None and now_ms >= self.until_ms


@dataclass(frozen=True, slots=True)
class Counts:
    """Counted outcomes. A call is either `ok` or `failed`; `slow` counts the slow calls among both."""

    ok: int = 0
    failed: int = 0
    slow: int = 0

    @property
    def samples(self) -> int:
        """All outcomes."""
        return self.ok + self.failed

    @property
    def failure_rate(self) -> float:
        """Share that failed; 0 without outcomes."""
        return self.failed / self.samples if self.samples else 0.0

    @property
    def slow_rate(self) -> float:
        """Share that was slow; 0 without outcomes."""
        return self.slow / self.samples if self.samples else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.ok + other.ok, self.failed + other.failed, self.slow + other.slow)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one probe until `until_ms`, in the epoch that granted it.

    Epoch 0: used. It is kept until `until_ms`, so that a repeated request or outcome has no effect.
    """

    until_ms: int
    epoch: int

    def is_active(self, now_ms: int) -> bool:
        """Whether its probe may still be running."""
        return self.epoch > 0 and self.until_ms > now_ms


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The number of a replica's last counted batch, and when it was counted."""

    number: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit as the ledger stores it. The default is closed and empty.

    `open_until_ms`: when the open duration ends (only while open). `open_count`: openings since it was last closed for
    a whole window. `window`: (bucket width in ms, bucket number) -> counts. `voters`: replica -> when its vote expires.
    `batches`: replica -> its last counted batch. `leases`: token -> lease.
    `streak`, `slow_streak`: of failed and of slow calls. `slowest_probe_ms`: the longest successful probe of this
    recovery. `judges_from_ms`: a circuit that probes closed counts outcomes before this time, but does not open.
    `lost_by`, `lost_at_ms`: the replica whose probe failed last, and when. `missed_after`, `missed_before`: a restored
    ledger lacks the transitions between these epochs. `would_open_at_ms`: shadow mode reports nothing before it.
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
