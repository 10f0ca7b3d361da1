"""Boundary cases of leases, overrides and open durations, on every ledger. Each kills a mutant of the Lua."""

from __future__ import annotations

import pytest

from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.outcomes import Outcome
from tests.ledger.bench import Bench, terms

NAME = "generator.primary"


async def probing(bench: Bench) -> None:
    batch = Batch("a", 1, (Tally(0, bench.now_ms, Counts(0, 3)),), failing=True)
    assert (await bench.ledger.record(NAME, terms(), batch, 0.0)).snapshot.state is CircuitState.OPEN
    await bench.advance(500)
    assert (await bench.ledger.lease(NAME, terms(), "a", 0, "t")).granted


async def test_a_lease_expires_in_the_exact_millisecond_while_another_is_still_running(bench: Bench) -> None:
    await probing(bench)
    await bench.advance(100)
    assert (await bench.ledger.lease(NAME, terms(probes=2), "b", 0, "later")).granted
    await bench.advance(200)
    reply = await bench.ledger.settle(NAME, terms(probes=2), "a", "t", Outcome.FAILED, 0, 0.0)
    assert reply.snapshot.state is CircuitState.HALF_OPEN


async def test_a_probe_that_ends_after_an_override_expired_ends_that_override(bench: Bench) -> None:
    await probing(bench)
    said = await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", 100)
    await bench.advance(100)
    ended = await bench.ledger.settle(NAME, terms(), "a", "t", Outcome.OK, 0, 0.0)
    assert ended.snapshot.epoch > said.snapshot.epoch
    assert (ended.snapshot.state, ended.snapshot.reason) == (CircuitState.CLOSED, "the override expired")


async def test_a_new_override_lets_shadow_mode_report_again_within_the_open_duration(bench: Bench) -> None:
    reported = []
    for number in (1, 2):
        said = await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", None)
        tally = Tally(said.snapshot.epoch, bench.now_ms, Counts(0, 3))
        await bench.ledger.record(NAME, terms(), Batch("a", number, (tally,), failing=True), 0.0)
        reported.append([event.trigger for event in await bench.ledger.events(NAME, limit=9)].count("would open"))
    assert reported == [1, 2]


async def test_a_restored_override_is_stored_as_it_was_set(bench: Bench) -> None:
    override = OperatorOverride(OverrideMode.SHADOW, "why", "kim", bench.now_ms + 100)
    point = RestorePoint(CircuitState.CLOSED, bench.now_ms, override=override)
    assert (await bench.ledger.restore(NAME, terms(), "a", point)).snapshot.override == override
    await bench.advance(100)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.override is None


async def test_a_restore_ends_an_expired_override_and_publishes_its_end(bench: Bench) -> None:
    await bench.ledger.override(NAME, terms(), OverrideMode.OPEN, "why", "kim", 100)
    await bench.advance(100)
    await bench.ledger.restore(NAME, terms(), "a", RestorePoint(CircuitState.CLOSED, bench.now_ms + 50))
    assert "the override expired" in [event.reason for event in await bench.ledger.events(NAME)]


async def test_every_circuit_is_read_under_the_terms_sent_with_it(bench: Bench) -> None:
    batch = Batch("a", 1, (Tally(0, bench.now_ms, Counts(2, 0)),))
    for name in ("one", "two"):
        await bench.ledger.record(name, terms(), batch, 0.0)
    await bench.advance(300)
    found = await bench.ledger.read({"one": terms(), "two": terms(window_ms=200)})
    assert [found[name].snapshot.counts for name in ("one", "two")] == [Counts(2, 0), Counts()]


async def test_an_open_duration_of_zero_is_over_at_once(bench: Bench) -> None:
    await probing(bench)
    ended = await bench.ledger.settle(NAME, terms(), "a", "t", Outcome.THROTTLED, 0, 0.0)
    assert (ended.snapshot.state, ended.snapshot.left_ms) == (CircuitState.HALF_OPEN, 0)
    assert (await bench.ledger.lease(NAME, terms(), "b", 0, "later")).granted


async def test_a_new_override_expires_at_its_own_time_and_not_at_the_previous_overrides(bench: Bench) -> None:
    for for_ms in (1000, 100):
        await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", for_ms)
    await bench.advance(100)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.override is None
    for lasting_ms in (100, None):
        await bench.ledger.override(NAME, terms(), OverrideMode.SHADOW, "why", "kim", lasting_ms)
    await bench.advance(100)
    assert (await bench.ledger.read({NAME: terms()}))[NAME].snapshot.override is not None


@pytest.mark.parametrize(
    ("probes", "state"),
    [
        ("ok slow", CircuitState.HALF_OPEN),
        ("ok slow slow", CircuitState.OPEN),
        ("ok slow ok slow", CircuitState.HALF_OPEN),
        ("ok slow ok slow slow", CircuitState.OPEN),
    ],
)
async def test_probes_reopen_the_circuit_once_too_many_of_them_were_slow(
    bench: Bench, probes: str, state: CircuitState
) -> None:
    """Three of five reach the threshold without exceeding it."""
    policy = terms(slow_threshold=0.6, probe_successes=9)
    await probing(bench)
    await bench.ledger.settle(NAME, policy, "a", "t", Outcome.CANCELLED, 0, 0.0)
    for number, outcome in enumerate(probes.split()):
        await bench.ledger.lease(NAME, policy, "a", 0, str(number))
        ended = await bench.ledger.settle(NAME, policy, "a", str(number), Outcome(outcome), 0, 0.0)
    assert ended.snapshot.state is state


@pytest.mark.parametrize(("later_ms", "state"), [(599, CircuitState.OPEN), (600, CircuitState.HALF_OPEN)])
async def test_a_failed_probe_counts_towards_the_quorum_for_four_lease_durations(
    bench: Bench, later_ms: int, state: CircuitState
) -> None:
    policy = terms(quorum=3, window_ms=1000, lease_ms=300)
    await bench.ledger.override(NAME, policy, OverrideMode.OPEN, "why", "kim", 100)
    await bench.advance(100)
    for replica, wait_ms in (("a", 600), ("b", later_ms), ("c", 0)):
        assert (await bench.ledger.lease(NAME, policy, replica, 0, replica)).granted
        ended = await bench.ledger.settle(NAME, policy, replica, replica, Outcome.FAILED, 0, 0.0)
        await bench.advance(wait_ms)
    assert ended.snapshot.state is state


async def test_a_replica_that_waits_for_a_probe_waits_for_the_first_running_probe_to_end(bench: Bench) -> None:
    policy = terms(probes=2)
    await probing(bench)
    await bench.advance(100)
    assert (await bench.ledger.lease(NAME, policy, "b", 0, "later")).granted
    refused = await bench.ledger.lease(NAME, policy, "c", 0, "none")
    assert (refused.granted, refused.wait_ms, refused.snapshot.slot_wait_ms) == (False, 200, 200)
    await bench.advance(200)
    assert (await bench.ledger.lease(NAME, policy, "c", 0, "now")).granted


async def test_the_open_count_is_reset_in_the_exact_millisecond_in_which_a_whole_window_has_passed(
    bench: Bench,
) -> None:
    policy = terms(probe_successes=1)
    await probing(bench)
    closed = await bench.ledger.settle(NAME, policy, "a", "t", Outcome.OK, 0, 0.0)
    assert (closed.snapshot.state, closed.snapshot.open_count) == (CircuitState.CLOSED, 1)
    await bench.advance(policy.window_ms - 1)
    assert (await bench.ledger.read({NAME: policy}))[NAME].snapshot.open_count == 1
    await bench.advance(1)
    assert (await bench.ledger.read({NAME: policy}))[NAME].snapshot.open_count == 0
