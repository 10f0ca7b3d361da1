"""What happened, as frozen facts, and the sinks that hear of it: log, metrics, alerts, dashboards.

Every event says when (`at_ms`, Unix milliseconds: of Redis where the ledger tells it, else of this machine) and by
which `replica`. Circuit states are given by their wire names: "closed", "open", "half_open".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ha_rag.messages import Attempt

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that happened. `kind` is its name on the wire."""

    at_ms: int
    replica: str = ""

    @property
    def kind(self) -> str:
        """The event's class name, such as "CircuitChanged"."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged(Event):
    """A circuit went from one state to another; a failed probe is a change from "half_open" to "open".

    `reason`: why, in words. `by`: the replica or the operator that caused it. `samples`, `failed`, `slow`: the outcomes
    in the window that decided. `scope`: "fleet" for the shared belief, "replica" for this process's own.
    """

    circuit: str
    previous_epoch: int
    epoch: int
    from_state: str
    to_state: str
    reason: str = ""
    by: str = ""
    samples: int = 0
    failed: int = 0
    slow: int = 0
    scope: str = "fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideChanged(Event):
    """An operator set an override (`mode`: "open", "closed", "disabled", "shadow"), or it ended (`mode` None)."""

    circuit: str
    mode: str | None
    reason: str = ""
    by: str = ""
    until_ms: int | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldOpen(Event):
    """A circuit in shadow would have opened now."""

    circuit: str
    reason: str = ""
    by: str = ""
    samples: int = 0
    failed: int = 0
    slow: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLost(Event):
    """This replica no longer hears the shared store, and goes on alone. `circuit`: "" where all are concerned."""

    reason: str
    circuit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBack(Event):
    """The shared store is heard again. `away_s`: for how long it was not."""

    away_s: float
    circuit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLimited(Event):
    """The shared store refuses this replica a part of its work, and the circuits go on without it. `what`: that part.

    Said once for as long as it lasts; `ha-rag check` names the right that is missing.
    """

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMismatch(Event):
    """Replicas hold different policies for one circuit: expected for the length of a rolling deploy only."""

    circuit: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaNameTaken(Event):
    """Another living replica carries this one's name. Both are counted; only people may confuse them."""

    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFellBack(Event):
    """A stage was not served by its first tier. `attempts`: those of this stage, in order."""

    answer: str
    stage: str
    first: str
    served_by: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswered(Event):
    """A question was answered. `answer`: the answer's id. The question's text is left out: it may be personal.

    `broken`: it was streamed, and the stream broke off after its first piece. `attempts`: all of them, in order.
    """

    answer: str
    ms: float
    served_by: dict[str, str]
    degraded_stages: tuple[str, ...]
    shared_state: str
    broken: bool = False
    attempts: tuple[Attempt, ...] = ()


class Sink(Protocol):
    """Hears of events. Called in the middle of a question, so it must be quick and must not wait."""

    def __call__(self, event: Event, /) -> None:
        """Takes note of one event."""
        ...


def notify(sinks: Iterable[Sink], event: Event) -> None:
    """Tells every sink. A sink that raises is logged, and stops neither the others nor the question."""
    for sink in sinks:
        try:
            sink(event)
        except Exception:
            log.exception("the sink %r failed on %s", sink, event.kind)
