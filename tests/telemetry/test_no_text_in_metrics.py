"""No text that anyone else can write is a label of a metric: a secret in it would be kept in a database of metrics."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from ha_rag import events
from ha_rag.breaker.report import CircuitReport, Here, OverrideReport
from ha_rag.breaker.told_by_replicas import StateThere
from ha_rag.circuit.state import CircuitState
from ha_rag.events import Event
from ha_rag.messages import AssignedArm, Attempt, Quality
from ha_rag.outcomes import Outcome
from ha_rag.telemetry.metrics import Gauges, Metrics

SECRET = "sk-0123456789abcdef"
OUR_NAMES = {"circuit": "embedder.primary", "stage": "embedder", "first": "primary", "from_state": "closed",
             "to_state": "open", "mode": "open", "shared_state": "fresh"}  # fmt: skip
"""Names of tiers, circuits and arms are the configuration's, and the others are of an enumeration."""

ATTEMPT = Attempt("embedder.primary", Outcome.FAILED, 1.0, "closed", SECRET)
KINDS = [kind for kind in vars(events).values() if isinstance(kind, type) and Event in kind.__mro__[1:]]


def told(kind: type[Event]) -> Event:
    """An event whose texts are all the secret, except for our own names."""
    others = {"Attempt": Attempt, "Quality": Quality, "AssignedArm": AssignedArm}
    hints = typing.get_type_hints(kind, vars(events) | others)
    return kind(**dict(values(kind, hints)))


def values(kind: type[Event], hints: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if hint in (int, float, bool) or hint == int | None:
            yield field.name, 1
        elif hint == tuple[Attempt, ...]:
            yield field.name, (ATTEMPT,)
        elif hint == tuple[str, ...]:
            yield field.name, (SECRET,)
        elif hint == Quality | None:
            yield field.name, Quality(0.5, 0.5, SECRET, SECRET, "profile")
        elif hint == AssignedArm | None:
            yield field.name, AssignedArm("trial", "usual", sticky=True)
        elif hint == dict[str, str]:
            yield field.name, {"generator": "primary"}
        else:
            yield field.name, OUR_NAMES.get(field.name, SECRET)


def report() -> CircuitReport:
    """A circuit of this process whose texts are all the secret, as any client of Redis can write them."""
    return CircuitReport(
        name="embedder.primary", state=CircuitState.OPEN, override=OverrideReport("open", SECRET, SECRET, 1.0), epoch=1,
        failure_rate=1.0, slow_rate=0.0, samples=1, recovers_in_s=1.0, reason=SECRET, opened_by=SECRET,
        voters=(SECRET,), open_count=1, changed_at=1.0, scope="fleet", here=Here(CircuitState.OPEN, "overlay"),
        differing=(StateThere(SECRET, CircuitState.OPEN),),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_text_of_an_event_is_a_label(kind: type[Event]):
    metrics, event = Metrics(), told(kind)
    assert SECRET in repr(event) or kind is events.LedgerBack, "the event has a text"
    metrics(event)
    assert SECRET not in metrics.text().decode()


def test_no_text_of_a_circuit_is_a_label():
    metrics = Metrics()
    metrics.add_gauges(Gauges(circuits=lambda: [report()], shared_state=lambda: "fresh"))
    assert "ha_rag_circuit_override" in metrics.text().decode()
    assert SECRET not in metrics.text().decode()
