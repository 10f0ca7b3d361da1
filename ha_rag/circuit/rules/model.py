"""What the law is given and what it answers: reports and beliefs on one side, decisions and their events on the other."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride

CLOSED = CircuitState.CLOSED

WOULD_OPEN = "would open"
"""The trigger named in the event of a circuit in shadow mode, which changes nothing."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change, as it goes into the event stream. `counts`: what the window held when it happened."""

    previous_epoch: int
    epoch: int
    before: CircuitState
    after: CircuitState
    trigger: str
    reason: str
    by: str
    counts: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a verb made of a circuit. `events`: in order, oldest first. `publish`: others should look again."""

    circuit: Circuit
    events: tuple[Transition, ...] = ()
    granted: bool = False
    publish: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one epoch that share a bucket. `at_ms`: when they ended, in the ledger's time.

    `overdue`: calls that became overdue, less those that were and have ended: they count in the streak only.
    """

    epoch: int
    at_ms: int
    counts: Counts
    overdue: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one replica reports at once. Sending it twice is safe: `number` grows by one with each new batch.

    `failing`: whether the replica's own rate over its own window is at or above a threshold.
    `throttled_ms`: the longest rest a service asked for, in epoch `throttled_epoch`; 0: none. `throttled_at_ms`: when
    it asked, in the ledger's time; 0: now.
    """

    replica: str
    number: int
    tallies: tuple[Tally, ...] = ()
    failing: bool = False
    throttled_ms: int = 0
    throttled_epoch: int = 0
    throttled_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """What a replica last heard from the ledger, as it teaches it.

    `left_ms`: what is left of a rest. `changed_at_ms`: when the epoch began, in the ledger's time.
    """

    state: CircuitState
    epoch: int
    left_ms: int = 0
    open_count: int = 0
    reason: str = ""
    opened_by: str = ""
    override: OperatorOverride | None = None
    changed_at_ms: int = 0


def origin(known: Circuit | RestorePoint) -> tuple[bool, int, str, str]:
    """What a transition left that stays as it is while its epoch lasts: an open circuit may come to read as half-open.

    One epoch with two origins is two histories, told apart by nothing else: a ledger that lost its memory can mint an
    epoch that was minted before, in the same millisecond or on a clock that lags.
    """
    return known.state is CLOSED, known.changed_at_ms, known.reason, known.opened_by
