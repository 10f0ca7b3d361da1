"""CachedSnapshot: the last state of the fleet's circuit that this replica received, on its own clock.

The ledger sends remaining milliseconds, which this replica counts down from the moment of receipt, so clocks of two
machines are never compared. Not locked: the view holds the lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ha_rag.circuit.bounds import MAX_REST_MS, is_beyond
from ha_rag.circuit.rules import RestorePoint, origin
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState, OperatorOverride, OverrideMode

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

LATE_MS = 1000
"""A reply at least this much older than the last one is not late: the ledger's clock was set back."""


@dataclass(frozen=True, slots=True)
class Intact:
    """The ledger lost nothing between these times (monotonic). `since_s`: infinity: it may have lost something."""

    since_s: float
    until_s: float


class CachedSnapshot:
    """The last snapshot received, and when its durations end (monotonic seconds)."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(now_ms=0)
        self.read = self.snapshot
        """What the ledger itself last replied; `snapshot` may be from a message that no reply has confirmed so far."""
        self.pushed_s: float | None = None
        """When the message arrived that `snapshot` is from; None: it is what the ledger replied."""
        self.confirmed_s = -math.inf
        self.open_until_s = 0.0
        self.override_until_s = math.inf
        self.closed_at_s = -math.inf

    @property
    def epoch(self) -> int:
        """The epoch of the last known transition; never decreases."""
        return self.snapshot.epoch

    def state(self, now_s: float) -> CircuitState:
        """The fleet's state now: an open circuit whose open duration is over is half-open."""
        state = self.snapshot.state
        return HALF_OPEN if state is OPEN and now_s >= self.open_until_s else state

    def mode(self, now_s: float) -> OverrideMode | None:
        """The mode of the operator's override in force, or None."""
        override = self.snapshot.override
        return override.mode if override is not None and now_s < self.override_until_s else None

    def is_late(self, snapshot: Snapshot) -> bool:
        """Whether a newer reply of the same epoch has overtaken this one."""
        return snapshot.epoch == self.epoch and 0 < self.snapshot.now_ms - snapshot.now_ms < LATE_MS

    def contradicts(self, snapshot: Snapshot) -> bool:
        """Whether it has the cached epoch for another transition: the ledger lost data and assigned the epoch again."""
        cached = self.snapshot.restore_point()
        return snapshot.epoch == self.epoch and origin(snapshot.restore_point()) != origin(cached)

    def adds_to(self, snapshot: Snapshot) -> bool:
        """Whether the cached transition is missing in a ledger that was just restored.

        If both sides are closed without an override, there is nothing to add.
        """
        after, before = snapshot.missed
        both_closed = _closed_without_override(self.snapshot) and _closed_without_override(snapshot)
        return after < self.epoch < before and not both_closed

    def is_unconfirmed_by(self, reply: Snapshot) -> bool:
        """Whether the cached snapshot is from a message, and the ledger does not know it but has forgotten nothing."""
        if self.pushed_s is None or not self.read.epoch <= reply.epoch < self.epoch:
            return False
        return reply.epoch > self.read.epoch or origin(reply.restore_point()) == origin(self.read.restore_point())

    def is_refuted_by(self, reply: Snapshot, intact: Intact | None) -> bool:
        """Whether it is unconfirmed by a reply of a ledger that lost nothing between the message and the request."""
        if self.pushed_s is None or intact is None or not intact.since_s <= self.pushed_s < intact.until_s:
            return False
        return self.is_unconfirmed_by(reply)

    def may_be_lost(self, intact: Intact | None) -> bool:
        """Whether the ledger may have lost, since the message arrived, what it said."""
        return intact is not None and self.pushed_s is not None and self.pushed_s < intact.since_s

    def is_beyond(self, ledger_now_ms: int) -> bool:
        """Whether the cached epoch is beyond its bounds, since the ledger's clock was set back."""
        return is_beyond(self.epoch, ledger_now_ms)

    def adopt(self, snapshot: Snapshot, now_s: float, *, pushed: bool = False) -> None:
        """Replaces the cached snapshot. `pushed`: by that of a message."""
        self.pushed_s = now_s if pushed else None
        if not pushed:
            self.read = snapshot
        self.closed_at_s = self._closed_at_s(snapshot, now_s)
        self.snapshot = snapshot
        self.open_until_s = math.inf if snapshot.left_ms == UNKNOWN else now_s + snapshot.left_ms / 1000
        override = snapshot.override
        ends_ms = override.until_ms if override is not None else None
        self.override_until_s = math.inf if ends_ms is None else now_s + (ends_ms - snapshot.now_ms) / 1000

    def _closed_at_s(self, snapshot: Snapshot, now_s: float) -> float:
        """When the service recovered, on the local clock; minus infinity: never, or long ago.

        A transition from closed to closed (an override ended, a ledger was restored) is not a recovery.
        """
        if snapshot.state is not CLOSED or snapshot.override is not None:
            return -math.inf
        before = self.snapshot
        if before.state is CLOSED and snapshot.open_count <= before.open_count:
            return self.closed_at_s
        return now_s - (snapshot.now_ms - snapshot.changed_at_ms) / 1000

    def set_override(self, override: OperatorOverride | None) -> None:
        """Sets an operator's override of a circuit of this replica alone; its end is in ms of the local clock."""
        self.snapshot = replace(self.snapshot, override=override)
        until_ms = override.until_ms if override is not None else None
        self.override_until_s = math.inf if until_ms is None else until_ms / 1000

    def restore_point(self, now_s: float, ledger_now_ms: int, longest_ms: int = MAX_REST_MS) -> RestorePoint:
        """What to restore a ledger from that lost this state. `ledger_now_ms`: the time on the ledger's clock.

        Any client may have sent a message that no reply has confirmed: of that, no open duration above `longest_ms` is
        restored.
        """
        cached, is_confirmed = self.snapshot, self.pushed_s is None
        left_s = self.open_until_s - now_s if cached.state is OPEN and cached.override is None else 0.0
        left_ms = int(min(max(0.0, left_s * 1000), MAX_REST_MS if is_confirmed else longest_ms))
        return replace(cached.restore_point(), left_ms=left_ms, override=self._override(now_s, ledger_now_ms))

    def _override(self, now_s: float, ledger_now_ms: int) -> OperatorOverride | None:
        override = self.snapshot.override
        if override is None or self.mode(now_s) is None:
            return None
        left_s = self.override_until_s - now_s
        return replace(override, until_ms=None if left_s == math.inf else ledger_now_ms + int(left_s * 1000))


def _closed_without_override(snapshot: Snapshot) -> bool:
    return snapshot.state is CLOSED and snapshot.override is None
