"""Events as frozen values, and the sinks that receive them: log, metrics, alerts, dashboards.

Every event has a time (`at_ms`, Unix milliseconds: on the clock of Redis for events from the ledger, else of this
machine) and a `replica`. Circuit states have their wire names: "closed", "open", "half_open".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ha_rag.messages import AssignedArm, Attempt, Quality

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events. `kind` is its name on the wire."""

    at_ms: int
    replica: str = ""

    @property
    def kind(self) -> str:
        """The event's class name, such as "CircuitChanged"."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged(Event):
    """A circuit changed its state; a failed probe is a change from "half_open" to "open".

    `reason`: a short text. `by`: the replica or the operator that caused it. `samples`, `failed`, `slow`: the outcomes
    in the window. `scope`: "fleet" for the shared circuit, "replica" for a decision of this process alone.
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
    """A circuit in shadow mode would have opened now."""

    circuit: str
    reason: str = ""
    by: str = ""
    samples: int = 0
    failed: int = 0
    slow: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLost(Event):
    """The ledger is unreachable; this replica decides alone. `circuit`: "" if all circuits are affected."""

    reason: str
    circuit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBack(Event):
    """The ledger is reachable again. `away_s`: for how long it was not."""

    away_s: float
    circuit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLimited(Event):
    """The ledger refuses some of this replica's commands; the circuits work without them. `what`: what is refused.

    Sent once while it lasts. `ha-rag check` names the missing permission.
    """

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMismatch(Event):
    """Replicas have different policies for one circuit, which is normal only during a rolling deploy."""

    circuit: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaNameTaken(Event):
    """Another live replica has the same name. Both are counted separately; only reports and logs are ambiguous."""

    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFellBack(Event):
    """A stage was not served by its first tier. `attempts`: the attempts of this stage, in order."""

    answer: str
    stage: str
    first: str
    served_by: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswered(Event):
    """A question was answered. `answer`: the answer's id. The question's text is left out: it may be personal.

    `broken`: the answer was streamed, and the stream broke off. `attempts`: all attempts, in order. `answered`: False
    if the text says that the documents do not answer it, or that there is no answer. `quality`: what was to be expected
    of the tiers that served; None if they were not measured. `age_s`: of an earlier answer from the cache, how many
    seconds ago it was given; None for one that was made now. `experiment`: the arm of the running experiment, if any.
    """

    answer: str
    ms: float
    served_by: dict[str, str]
    degraded_stages: tuple[str, ...]
    shared_state: str
    broken: bool = False
    attempts: tuple[Attempt, ...] = ()
    answered: bool = True
    quality: Quality | None = None
    age_s: float | None = None
    experiment: AssignedArm | None = None


class Sink(Protocol):
    """Receives events. Called while a question is being answered, so it must be fast and must not block."""

    def __call__(self, event: Event, /) -> None:
        """Handles one event."""
        ...


def notify(sinks: Iterable[Sink], event: Event) -> None:
    """Passes the event to every sink. An exception in a sink is logged and not raised."""
    for sink in sinks:
        try:
            sink(event)
        except Exception:
            log.exception("the sink %r failed on %s", sink, event.kind)
