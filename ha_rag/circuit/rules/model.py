"""Inputs and results of the rules: batches and restore points, decisions and transitions."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.state import Circuit, CircuitState, Counts, OperatorOverride

CLOSED = CircuitState.CLOSED

WOULD_OPEN = "would open"
"""The trigger in the event of a circuit in shadow mode; its state does not change."""

EXPIRED = "the override expired"
"""The reason of an override's end when its time was up."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition, as written to the event stream. `counts`: the window when it happened.

    `until_ms`: when the override that it begins will end; None: there is none, or it has no end.
    """

    previous_epoch: int
    epoch: int
    before: CircuitState
    after: CircuitState
    trigger: str
    reason: str
    by: str
    counts: Counts = Counts()
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of a verb. `events`: oldest first. `publish`: other replicas should be told the new state."""

    circuit: Circuit
    events: tuple[Transition, ...] = ()
    granted: bool = False
    publish: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one epoch in one bucket. `at_ms`: when they ended, on the ledger's clock.

    `overdue`: calls that became overdue, minus overdue calls that have ended; counts in the streak only.
    """

    epoch: int
    at_ms: int
    counts: Counts
    overdue: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One report of one replica. Sending it twice is safe: `number` grows by one with each new batch.

    `failing`: whether the replica's own window is at or above a threshold, which is its vote for opening.
    `throttled_ms`: the longest pause a service asked for, in epoch `throttled_epoch`; 0: none. `throttled_at_ms`: when
    it asked, on the ledger's clock; 0: now.
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
    """The state that a replica last received, from which a ledger that lost it is restored.

    `left_ms`: what remains of the open duration. `changed_at_ms`: when the epoch began, on the ledger's clock.
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
    """What identifies the transition behind an epoch: facts that do not change until the next one.

    A ledger that lost its data can assign an epoch again, in the same millisecond or on a clock that lags. Two
    different origins of one epoch reveal that. Open and half-open are not told apart: one turns into the other.
    """
    return known.state is CLOSED, known.changed_at_ms, known.reason, known.opened_by
