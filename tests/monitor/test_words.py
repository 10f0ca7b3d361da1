"""Each event says in words what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit.transitions import Trigger
from ha_rag.events import CircuitChanged, LedgerBack, LedgerLost, PolicyMismatch, ReplicaNameTaken
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.timeline import own_event, shared_event
from ha_rag.monitor.words import details

REPLICA = "rag-1~0a1b2c3d"


def entry(trigger: str, before: str, after: str, reason: str, by: str) -> StreamEntry:
    return StreamEntry("5-0", "e.p", 1, 2, before, after, trigger, reason, by, 1, 4, 0)


@pytest.mark.parametrize(
    ("event", "kind", "text", "reason", "by"),
    [
        (("threshold reached", "closed", "open", "4 of 5 failed", REPLICA),
         "circuit", "e.p: closed -> open", "4 of 5 failed", "rag-1"),
        (("probe granted", "open", "half_open", "", REPLICA),
         "circuit", "e.p: open -> half-open", "probe granted", "rag-1"),
        ((Trigger.FORCED_OPEN, "closed", "open", "open: a new disk", "kim"),
         "override", "e.p: opened by hand: a new disk, by kim", "open: a new disk", "kim"),
        ((Trigger.FORCED_OPEN, "open", "open", "open: a new disk", "kim"),
         "override", "e.p: opened by hand: a new disk, by kim", "open: a new disk", "kim"),
        ((Trigger.FORCED_CLOSED, "closed", "closed", "shadow: a: trial", "kim"),
         "override", "e.p: put in shadow by hand: a: trial, by kim", "shadow: a: trial", "kim"),
        ((Trigger.FORCED_CLOSED, "closed", "closed", "whatever", "kim"),
         "override", "e.p: override began", "whatever", "kim"),
        ((Trigger.FORCED_OPEN_ENDED, "open", "open", "ended by hand", "kim"),
         "override", "e.p: override ended, now half-open", "ended by hand", "kim"),
        ((Trigger.OVERRIDE_ENDED, "closed", "closed", "ended by hand", "kim"),
         "override", "e.p: override ended", "ended by hand", "kim"),
        ((Trigger.FORCED_OPEN_ENDED, "open", "open", "the override expired", "kim"),
         "override", "e.p: override expired, now half-open", "the override expired", ""),
        ((Trigger.OVERRIDE_ENDED, "closed", "closed", "the override expired", "kim"),
         "override", "e.p: override expired", "the override expired", ""),
        ((Trigger.FORCED_CLOSED, "closed", "closed", "open: a new disk", REPLICA),
         "override", "e.p: override open restored", "Redis had lost it", "rag-1"),
        ((Trigger.FORCED_OPEN, "closed", "open", "open: a new disk", REPLICA),
         "override", "e.p: override open restored", "Redis had lost it; open: a new disk", "rag-1"),
        ((Trigger.RESTORED_OPEN, "closed", "open", "4 of 5 failed", REPLICA),
         "restored", "e.p: open, restored", "Redis had lost it; 4 of 5 failed", "rag-1"),
        ((Trigger.RESTORED_CLOSED, "closed", "closed", "2 probes succeeded", REPLICA),
         "restored", "e.p: closed, restored", "Redis had lost it", "rag-1"),
        (("would open", "closed", "closed", "4 of 5 failed", REPLICA),
         "would_open", "e.p: would have opened (shadow)", "4 of 5 failed", "rag-1"),
        (("a trigger of a later version", "closed", "closed", "why", REPLICA),
         "circuit", "e.p: still closed", "why", "rag-1"),
    ],
)  # fmt: skip
def test_an_event_of_the_streams(event: tuple[str, ...], kind: str, text: str, reason: str, by: str) -> None:
    made = shared_event(entry(*event))
    assert (made.kind, made.text, made.reason, made.by) == (kind, text, reason, by)


def test_the_beginning_of_an_override_says_why_by_whom_and_until_when() -> None:
    noon_ms = 1_800_014_400_000
    entry_at_noon = replace(
        entry(Trigger.FORCED_OPEN, "closed", "open", "open: maintenance", "admin"), id=f"{noon_ms}-0"
    )
    made = shared_event(replace(entry_at_noon, until_ms=noon_ms + 1000 * 60 * 140))
    assert made.text == "e.p: opened by hand: maintenance, by admin, until 14:20 UTC"
    assert made.until == noon_ms / 1000 + 60 * 140
    assert details(made) == ("", "")


@pytest.mark.parametrize(
    ("trigger", "reason"), [(Trigger.OVERRIDE_ENDED, "ended by hand"), (Trigger.FORCED_CLOSED, "closed: tried")]
)
def test_an_override_that_changes_no_state_is_never_told_as_a_change_of_it(trigger: str, reason: str) -> None:
    assert "->" not in shared_event(entry(trigger, "closed", "closed", reason, "kim")).text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (LedgerLost(at_ms=0, reason="gone"), "Redis is unreachable"),
        (LedgerLost(at_ms=0, reason="NOPERM", circuit="e.p"), "e.p: Redis cannot be used for it"),
        (LedgerBack(at_ms=0, away_s=1), "Redis is reachable again"),
        (LedgerBack(at_ms=0, away_s=1, circuit="e.p"), "e.p: Redis can be used for it again"),
        (PolicyMismatch(at_ms=0, circuit="e.p"), "e.p: replicas have different rules"),
        (ReplicaNameTaken(at_ms=0, replica="a"), "two replicas have the same name"),
        (
            CircuitChanged(
                at_ms=0, circuit="e.p", previous_epoch=1, epoch=1, from_state="closed", to_state="half_open",
                scope="replica",
            ),
            "e.p: closed -> half-open",
        ),
    ],
)  # fmt: skip
def test_an_event_of_this_process(event, text) -> None:
    made = own_event(event)
    assert made is not None
    assert made.text == text
