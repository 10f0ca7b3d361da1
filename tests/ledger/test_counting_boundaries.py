"""Boundary cases of counting, on every ledger. Each kills a mutant of the Lua that other tests did not."""

from __future__ import annotations

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from tests.ledger.bench import Bench, terms

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN
NAME = "generator.primary"


async def report(
    bench: Bench, counts: Counts, *, under: Terms, by: str = "a", number: int = 1, failing: bool = False
) -> Reply:
    batch = Batch(by, number, (Tally(0, bench.now_ms, counts),), failing)
    return await bench.ledger.record(NAME, under, batch, 0.0)


async def test_one_failure_opens_a_circuit_that_needs_one_sample(bench: Bench) -> None:
    assert (await report(bench, Counts(0, 1), under=terms(min_samples=1))).snapshot.state is OPEN


@pytest.mark.parametrize(("slow", "state"), [(1, CLOSED), (2, OPEN)])
async def test_slow_calls_open_the_circuit_once_their_share_reaches_the_threshold(
    bench: Bench, slow: int, state: CircuitState
) -> None:
    assert (await report(bench, Counts(4, 0, slow), under=terms(slow_threshold=0.5))).snapshot.state is state


@pytest.mark.parametrize(("later_ms", "state"), [(399, OPEN), (400, CLOSED)])
async def test_a_replica_counts_towards_the_quorum_for_one_window_after_its_last_failing_report(
    bench: Bench, later_ms: int, state: CircuitState
) -> None:
    under = terms(quorum=3)
    await report(bench, Counts(0, 1), under=under, by="a", failing=True)
    await bench.advance(600)
    await report(bench, Counts(0, 1), under=under, by="b", failing=True)
    await bench.advance(later_ms)
    last = await report(bench, Counts(0, 3), under=under, by="c", failing=True)
    assert last.snapshot.state is state


async def test_throttling_seen_by_a_quorum_opens_the_circuit_for_the_last_requested_duration(bench: Bench) -> None:
    """`throttled_at_ms` 0: throttled just now."""
    under = terms(quorum=2)
    for by, state in (("a", CLOSED), ("b", OPEN)):
        asked = await bench.ledger.record(NAME, under, Batch(by, 1, throttled_ms=700), 0.0)
        assert asked.snapshot.state is state
        await bench.advance(100)
    assert asked.snapshot.left_ms == 700


async def test_a_duplicate_batch_is_not_counted_while_its_outcomes_are_in_the_window(bench: Bench) -> None:
    batch = Batch("b", 7, (Tally(0, bench.now_ms, Counts(1, 0)),))
    await bench.ledger.record(NAME, terms(), batch, 0.0)
    await bench.advance(500)
    await report(bench, Counts(1, 0), under=terms(), by="a", number=100)  # prunes silent replicas
    again = await bench.ledger.record(NAME, terms(), batch, 0.0)
    assert again.snapshot.counts == Counts(2, 0)


async def test_a_replica_with_a_short_window_removes_nothing_from_one_with_a_long_window(bench: Bench) -> None:
    """Both exist in a rolling deploy."""
    long = terms(window_ms=4000, bucket_ms=400, min_samples=9)
    await report(bench, Counts(0, 2), under=long, by="a")
    await report(bench, Counts(1, 0), under=terms(min_samples=9), by="b")
    await bench.advance(2500)
    assert (await bench.ledger.read({NAME: long}))[NAME].snapshot.counts == Counts(1, 2)


async def test_shadow_mode_reports_again_after_the_open_duration_it_would_have_had(bench: Bench) -> None:
    said = await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", None)
    reported = []
    for number, wait_ms in ((1, 499), (2, 1), (3, 0)):
        tally = Tally(said.snapshot.epoch, bench.now_ms, Counts(0, 3))
        await bench.ledger.record(NAME, terms(), Batch("a", number, (tally,), failing=True), 0.0)
        reported.append([event.trigger for event in await bench.ledger.events(NAME)].count("would open"))
        await bench.advance(wait_ms)
    assert reported == [1, 1, 2]


async def test_throttling_from_another_epoch_does_not_open_the_circuit(bench: Bench) -> None:
    asked = await bench.ledger.record(NAME, terms(), Batch("a", 1, throttled_ms=700, throttled_epoch=7), 0.0)
    assert asked.snapshot.state is CLOSED


async def test_throttling_does_not_extend_later_open_durations(bench: Bench) -> None:
    asked = await bench.ledger.record(NAME, terms(), Batch("a", 1, throttled_ms=700), 0.0)
    assert (asked.snapshot.state, asked.snapshot.open_count) == (OPEN, 0)


async def test_a_replica_that_reports_only_expired_outcomes_does_not_count_towards_the_quorum(bench: Bench) -> None:
    under = terms(quorum=2)
    old = Batch("a", 1, (Tally(0, bench.now_ms - under.window_ms - under.bucket_ms, Counts(0, 3)),), failing=True)
    assert (await bench.ledger.record(NAME, under, old, 0.0)).snapshot.voters == ()
    assert (await report(bench, Counts(0, 3), under=under, by="b", failing=True)).snapshot.state is CLOSED


async def test_a_replica_whose_calls_succeed_again_no_longer_counts_towards_the_quorum(bench: Bench) -> None:
    under = terms(quorum=2)
    assert (await report(bench, Counts(0, 3), under=under, failing=True)).snapshot.voters == ("a",)
    assert (await report(bench, Counts(1, 0), under=under, number=2)).snapshot.voters == ()
    opens = await report(bench, Counts(0, 3), under=under, by="b", failing=True)
    assert (opens.snapshot.state, opens.snapshot.voters) == (CLOSED, ("b",))


async def test_a_replica_that_sees_failures_is_named_for_one_window_after_its_last_failing_report(bench: Bench) -> None:
    under = terms(quorum=3)
    await report(bench, Counts(0, 1), under=under, by="a", failing=True)
    await bench.advance(600)
    await report(bench, Counts(0, 1), under=under, by="b", failing=True)
    reported = []
    for later_ms in (399, 1):
        await bench.advance(later_ms)
        reported.append((await bench.ledger.read({NAME: under}))[NAME].snapshot.voters)
    assert reported == [("a", "b"), ("b",)]


async def test_a_throttled_replica_is_not_named_among_those_that_see_failures(bench: Bench) -> None:
    asked = await bench.ledger.record(NAME, terms(quorum=2), Batch("a", 1, throttled_ms=700), 0.0)
    assert asked.snapshot.voters == ()
