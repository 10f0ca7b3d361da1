"""Histories that a model checker found, each the shortest that breaks the protocol when one of its rules is left out.

The model is an explicit-state search over one circuit, two or three replicas, lost, late and repeated messages, flushes
and failovers. What of a history concerns the ledger is replayed here on every kind of ledger.
"""

from __future__ import annotations

import pytest

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.ledger.ledger import Reply
from ha_rag.messages import Outcome
from tests.ledger.bench import START_MS, Bench, terms

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NAME, REST, LEASE = "embedder.primary", 500, 300
T = terms(min_samples=2, probe_successes=1, rest_ms=REST, lease_ms=LEASE)
TWO_PROBES = terms(min_samples=2, probe_successes=1, probes=2, rest_ms=REST, lease_ms=LEASE)


class Fleet:
    """Replicas 0 and 1, each with an epoch it believes in and numbered batches."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.ledger = bench, bench.ledger
        self.terms = T
        self.numbers = [0, 0, 0]

    async def flush(self, replica: int, ok: int = 0, failed: int = 0, *, epoch: int = 0, age: int = 0) -> Reply:
        self.numbers[replica] += 1
        return await self.again(replica, ok, failed, epoch=epoch, age=age)

    async def again(self, replica: int, ok: int = 0, failed: int = 0, *, epoch: int = 0, age: int = 0) -> Reply:
        tally = Tally(epoch, self.bench.now_ms - age, Counts(ok, failed))
        return await self.ledger.record(NAME, self.terms, Batch(f"r{replica}", self.numbers[replica], (tally,)), 0.0)

    async def lease(self, replica: int, token: str, *, known: int = 0) -> Reply:
        return await self.ledger.lease(NAME, self.terms, f"r{replica}", known, token)

    async def settle(self, replica: int, token: str, outcome: Outcome) -> Reply:
        return await self.ledger.settle(NAME, self.terms, f"r{replica}", token, outcome, 0, 0.0)

    async def read(self) -> Reply:
        return (await self.ledger.read({NAME: self.terms}))[NAME]

    async def opened(self) -> int:
        return (await self.flush(0, failed=2)).snapshot.epoch


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    return Fleet(bench)


async def test_results_of_before_a_transition_open_nothing_after_it(fleet: Fleet) -> None:
    """Without emptying the window at each transition."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    closed = (await fleet.settle(0, "t", Outcome.OK)).snapshot
    assert (closed.state, closed.counts) == (CLOSED, Counts())
    after = (await fleet.flush(1, failed=1, epoch=closed.epoch)).snapshot
    assert (after.state, after.counts) == (CLOSED, Counts(0, 1))
    assert (await fleet.flush(1, failed=1, epoch=0)).snapshot.state is CLOSED


async def test_a_probe_of_an_earlier_half_open_decides_nothing(fleet: Fleet) -> None:
    """Without the fence: both replicas probe; the first one's end closes, the second one's comes after it."""
    fleet.terms = TWO_PROBES
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t0")
    await fleet.lease(1, "t1")
    closed = (await fleet.settle(0, "t0", Outcome.OK)).snapshot
    after = (await fleet.settle(1, "t1", Outcome.FAILED)).snapshot
    assert (after.state, after.epoch) == (CLOSED, closed.epoch)


async def test_half_open_is_not_entered_by_asking_alone(fleet: Fleet) -> None:
    """Without the grant: a refused lease would mint an epoch."""
    epoch = await fleet.opened()
    await fleet.bench.advance(REST)
    assert not (await fleet.lease(0, "t", known=epoch + 1)).granted
    assert (await fleet.read()).snapshot.epoch == epoch


@pytest.mark.parametrize("rested", [False, True])
async def test_a_report_neither_prolongs_an_open_circuit_nor_ends_its_probing(fleet: Fleet, *, rested: bool) -> None:
    """Without judging only what is closed."""
    epoch = await fleet.opened()
    if rested:
        await fleet.bench.advance(REST)
        epoch = (await fleet.lease(0, "t")).snapshot.epoch
    before = (await fleet.read()).snapshot
    assert (await fleet.flush(1, failed=9, epoch=epoch)).snapshot == before


async def test_one_epoch_never_names_two_transitions_across_a_flush(fleet: Fleet) -> None:
    """Without something beside a counter: Redis forgets, counts up again, and reaches an epoch that somebody holds."""
    first = await fleet.opened()
    await fleet.bench.forget()
    await fleet.bench.advance(1)
    second = (await fleet.flush(1, failed=2)).snapshot
    assert (second.state, second.epoch > first) == (OPEN, True)


async def test_a_redis_that_fell_back_to_an_older_copy_grants_nothing_to_who_knows_more(fleet: Fleet) -> None:
    """Without the asker's epoch: a lease from a copy that had missed the last failed probe."""
    opened = await fleet.opened()
    await fleet.bench.advance(REST)
    refused = await fleet.lease(0, "t", known=opened + 1000)
    assert not refused.granted
    assert refused.snapshot.epoch == opened
    assert (await fleet.lease(1, "u", known=opened)).granted


async def test_teaching_closes_no_circuit_that_no_probe_had_closed(fleet: Fleet) -> None:
    """Without the lesson's caution: half-open comes back open for one lease, whoever teaches."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    believed = (await fleet.lease(0, "t")).snapshot
    await fleet.bench.forget()
    taught = (await fleet.ledger.teach(NAME, fleet.terms, "r1", believed.belief())).snapshot
    assert (taught.state, taught.left_ms) == (OPEN, LEASE)
    late = (await fleet.settle(0, "t", Outcome.OK)).snapshot
    assert (late.state, late.epoch) == (OPEN, taught.epoch)


async def test_the_next_probe_begins_only_when_the_one_before_has_ended(fleet: Fleet) -> None:
    """Without a probe's bound: the ledger's share of it is that a lease stands for its whole life and no longer."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE - 1)
    assert (await fleet.lease(1, "u")).wait_ms == 1
    await fleet.bench.advance(1)
    assert (await fleet.settle(0, "t", Outcome.OK)).snapshot.state is HALF_OPEN
    assert (await fleet.lease(1, "u")).granted


async def test_after_a_flush_during_a_probe_the_circuit_rests_longer_than_that_probe_lasts(fleet: Fleet) -> None:
    """Without a rest of at least one lease: two probes at the service at once."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.forget()
    reopened = (await fleet.flush(1, failed=2)).snapshot
    assert reopened.left_ms >= LEASE
    await fleet.bench.advance(LEASE - 1)
    assert not (await fleet.lease(1, "u")).granted


async def test_a_result_older_than_the_window_is_not_new(fleet: Fleet) -> None:
    """Without stamps: a replica that was paused reports what it saw long ago."""
    await fleet.bench.advance(30_000)
    late = (await fleet.flush(2, failed=9, age=T.window_ms)).snapshot
    assert (late.state, late.counts) == (CLOSED, Counts())


async def test_a_batch_whose_answer_was_lost_is_counted_once(fleet: Fleet) -> None:
    """Without numbers: it is sent again, or delivered again late."""
    await fleet.flush(1, ok=1)
    assert (await fleet.again(1, ok=1)).snapshot.counts == Counts(1)
    await fleet.flush(1, ok=1)
    fleet.numbers[1] -= 1
    assert (await fleet.again(1, ok=1)).snapshot.counts == Counts(2)


async def test_a_grant_that_is_taken_up_late_settles_while_its_lease_lasts(fleet: Fleet) -> None:
    """Without parking: the ledger's share is that a late answer costs nothing but time."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE - 1)
    assert (await fleet.settle(0, "t", Outcome.OK)).snapshot.state is CLOSED


async def test_a_killed_replica_leaves_nothing_that_outlives_its_lease(fleet: Fleet) -> None:
    """Whoever dies between lease and settle: the others close the circuit after one lease."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE)
    await fleet.lease(1, "u")
    assert (await fleet.settle(1, "u", Outcome.OK)).snapshot.state is CLOSED
    assert fleet.bench.now_ms == START_MS + REST + LEASE
