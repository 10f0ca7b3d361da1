"""What is known of circuits outlasts a loss of data in Redis, until replicas have had time to restore it."""

from __future__ import annotations

from ha_rag.breaker.last_known import HOLD_S, LastKnown
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.clock import ManualClock

ONE, TWO, LATER = Snapshot(0, epoch=5), Snapshot(0, epoch=6), Snapshot(0, epoch=9)
LOST = Snapshot(0, epoch=0)


def known() -> tuple[LastKnown, ManualClock]:
    clock = ManualClock()
    made = LastKnown(clock)
    made.after({"one": ONE, "two": TWO}, ["one", "two"])
    return made, clock


def test_news_replaces_what_was_known() -> None:
    last, _ = known()
    assert last.after({"one": LATER, "two": TWO}, ["one", "two"]) == {"one": LATER, "two": TWO}


def test_a_circuit_that_was_removed_is_gone() -> None:
    last, _ = known()
    assert last.after({"one": ONE}, ["one"]) == {"one": ONE}


def test_a_circuit_that_is_listed_but_not_told_stays() -> None:
    last, _ = known()
    assert last.after({"one": LATER}, ["one", "two"]) == {"one": LATER, "two": TWO}


def test_an_empty_redis_changes_nothing_for_a_while() -> None:
    last, clock = known()
    assert last.after({}, []) == {"one": ONE, "two": TWO}
    clock.advance(HOLD_S / 2)
    assert last.after({"one": LOST}, ["one"]) == {"one": ONE, "two": TWO}
    assert last.after({"one": LATER}, ["one"]) == {"one": LATER, "two": TWO}
    clock.advance(HOLD_S)
    assert last.after({"one": LATER}, ["one"]) == {"one": LATER}


def test_a_circuit_that_nobody_restores_is_told_as_it_is_in_the_end() -> None:
    last, clock = known()
    for _ in range(4):
        last.after({"one": LOST, "two": TWO}, ["one", "two"])
        clock.advance(HOLD_S / 2)
    assert last.after({"one": LOST, "two": TWO}, ["one", "two"]) == {"one": LOST, "two": TWO}
