"""Histories found by a model checker; each is the shortest that breaks the protocol when one of its rules is removed.

The model is an explicit-state search over one circuit, two or three replicas, lost, late and repeated messages, flushes
and failovers. The ledger's part of a history is replayed here on every kind of ledger, the replicas' part by replicas
over the real Lua. For refused verbs see `test_redis_refuses.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import ServiceError, ThrottledError
from ha_rag.outcomes import Outcome
from tests.ledger.bench import START_MS, Bench, MemoryBench, RedisBench, terms
from tests.ledger.openings import half_open_next
from tests.ledger.simulated_fleet import QUICK, SVC, Call, Member
from tests.ledger.simulated_fleet import Fleet as SimulatedFleet
from tests.ledger.test_redis_keys import stored
from tests.ledger.virtual_ledgers import Make, VirtualRedisLedger
from tests.redis_servers import RedisProcess

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NAME, REST, LEASE = "embedder.primary", 500, 300
T = terms(min_samples=2, probe_successes=1, open_ms=REST, lease_ms=LEASE)
TWO_PROBES = terms(min_samples=2, probe_successes=1, probes=2, open_ms=REST, lease_ms=LEASE)
DOWN = ServiceError("down", status=500)


class Fleet:
    """Replicas 0 and 1, each with a known epoch and numbered batches."""

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

    async def settle(self, replica: int, token: str, outcome: Outcome, asked_ms: int = 0) -> Reply:
        return await self.ledger.settle(NAME, self.terms, f"r{replica}", token, outcome, asked_ms, 0.0)

    async def restore(self, replica: int, cached: Snapshot) -> Reply:
        return await self.ledger.restore(NAME, self.terms, f"r{replica}", cached.restore_point())

    async def read(self) -> Reply:
        return (await self.ledger.read({NAME: self.terms}))[NAME]

    async def opened(self) -> int:
        return (await self.flush(0, failed=2)).snapshot.epoch

    async def everything(self) -> object:
        """Everything that the ledger stores: in Redis, key by key."""
        if isinstance(self.bench, RedisBench):
            return await stored(self.bench)
        assert isinstance(self.bench, MemoryBench)
        return self.bench.memory._circuits.copy(), await self.ledger.events(NAME)


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    return Fleet(bench)


async def test_outcomes_from_before_a_transition_open_nothing_after_it(fleet: Fleet) -> None:
    """Removed rule: each transition clears the window."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    closed = (await fleet.settle(0, "t", Outcome.OK)).snapshot
    assert (closed.state, closed.counts) == (CLOSED, Counts())
    after = (await fleet.flush(1, failed=1, epoch=closed.epoch)).snapshot
    assert (after.state, after.counts) == (CLOSED, Counts(0, 1))
    assert (await fleet.flush(1, failed=1, epoch=0)).snapshot.state is CLOSED


async def test_a_probe_from_an_earlier_half_open_period_decides_nothing(fleet: Fleet) -> None:
    """Removed rule: fencing by epoch. Both replicas probe; the first outcome closes, the second one arrives later."""
    fleet.terms = TWO_PROBES
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t0")
    await fleet.lease(1, "t1")
    closed = (await fleet.settle(0, "t0", Outcome.OK)).snapshot
    after = (await fleet.settle(1, "t1", Outcome.FAILED)).snapshot
    assert (after.state, after.epoch) == (CLOSED, closed.epoch)


async def test_a_lease_request_alone_does_not_make_the_circuit_half_open(fleet: Fleet) -> None:
    """Removed rule: half-open only with a grant. All slots are taken, and a refused lease would start an epoch."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.ledger.override(NAME, fleet.terms, OverrideMode.OPEN, "deploy", "kim", 100)
    await fleet.bench.advance(100)
    before, kept = await fleet.read(), await fleet.everything()
    refused = await fleet.lease(1, "u", known=before.snapshot.epoch)
    assert (before.snapshot.state, before.snapshot.left_ms) == (HALF_OPEN, 0)
    assert (refused.granted, refused.wait_ms) == (False, LEASE - 100)
    assert refused.snapshot == before.snapshot
    assert await fleet.everything() == kept


@pytest.mark.parametrize("half_open", [False, True])
async def test_a_report_neither_extends_an_open_circuit_nor_ends_its_probing(fleet: Fleet, *, half_open: bool) -> None:
    """Removed rule: only a closed circuit is evaluated."""
    epoch = await fleet.opened()
    if half_open:
        await fleet.bench.advance(REST)
        epoch = (await fleet.lease(0, "t")).snapshot.epoch
    before = (await fleet.read()).snapshot
    assert (await fleet.flush(1, failed=9, epoch=epoch)).snapshot == before


async def test_two_transitions_never_share_an_epoch_across_a_flush(fleet: Fleet) -> None:
    """Removed rule: epochs from the clock. A counter restarts after a flush and reaches an epoch already used."""
    await fleet.flush(0, failed=1)
    first = (await fleet.flush(0, ok=1)).snapshot
    await fleet.bench.forget()
    await fleet.bench.advance(1)
    second = (await fleet.flush(1, ok=1, failed=1)).snapshot
    assert (first.state, second.state) == (OPEN, OPEN)
    assert second.epoch > first.epoch


async def test_two_transitions_of_one_epoch_in_the_same_millisecond_are_replaced_by_a_replica_that_knows_both(
    fleet: Fleet,
) -> None:
    """The same within one millisecond: the conflict lasts until a replica that knows the other one restores it."""
    first = (await fleet.flush(0, ok=1, failed=1)).snapshot
    await fleet.bench.forget()
    second = (await fleet.flush(1, ok=1, failed=1)).snapshot
    assert (second.state, second.epoch, second.opened_by) == (OPEN, first.epoch, "r1")
    restored = (await fleet.restore(0, first)).snapshot
    assert (restored.state, restored.left_ms) == (OPEN, REST)
    assert restored.epoch > first.epoch
    assert (await fleet.restore(1, second)).snapshot == restored


async def test_a_redis_that_fell_back_to_an_older_copy_grants_no_lease_to_a_replica_with_a_newer_epoch(
    fleet: Fleet,
) -> None:
    """Removed rule: a lease request carries the known epoch. A copy without the last failed probe grants a lease."""
    copied = await fleet.opened()
    await fleet.bench.copy()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    known = (await fleet.settle(0, "t", Outcome.FAILED)).snapshot
    await fleet.bench.fall_back()
    refused = await fleet.lease(1, "u", known=known.epoch)
    assert (refused.granted, refused.wait_ms) == (False, 0), "a slot is free; only the known epoch prevents a grant"
    assert refused.snapshot.epoch == copied
    restored = (await fleet.restore(1, known)).snapshot
    assert (restored.state, restored.left_ms) == (OPEN, known.left_ms)
    assert restored.epoch > known.epoch


async def test_a_restore_closes_no_circuit_that_no_probe_had_closed(fleet: Fleet) -> None:
    """Removed rule: a restored half-open circuit is open for one lease, whoever restores it."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    cached = (await fleet.lease(0, "t")).snapshot
    await fleet.bench.forget()
    restored = (await fleet.restore(1, cached)).snapshot
    assert (restored.state, restored.left_ms) == (OPEN, LEASE)
    late = (await fleet.settle(0, "t", Outcome.OK)).snapshot
    assert (late.state, late.epoch) == (OPEN, restored.epoch)


async def test_the_next_probe_begins_only_after_the_previous_one_has_ended(fleet: Fleet) -> None:
    """Removed rule: a probe's time limit. The ledger's part: a lease lasts for its whole duration and no longer."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE - 1)
    assert (await fleet.lease(1, "u")).wait_ms == 1
    await fleet.bench.advance(1)
    assert (await fleet.settle(0, "t", Outcome.OK)).snapshot.state is HALF_OPEN
    assert (await fleet.lease(1, "u")).granted


async def test_after_a_flush_during_a_probe_the_circuit_stays_open_longer_than_the_probe_lasts(fleet: Fleet) -> None:
    """Removed rule: an open duration of at least one lease. Two probes reach the service at once."""
    policy = CircuitPolicy(min_samples=2, probe_successes=1, recovery_timeout_s=0.2)
    fleet.terms, lease_ms = Terms.of(policy, timeout_s=2.0), 3000
    await fleet.opened()
    await fleet.bench.advance(lease_ms)
    assert (await fleet.lease(0, "t")).granted
    await fleet.bench.forget()
    reopened = (await fleet.flush(1, failed=2)).snapshot
    assert reopened.left_ms == lease_ms
    await fleet.bench.advance(lease_ms - 1)
    assert not (await fleet.lease(1, "u", known=reopened.epoch)).granted
    await fleet.bench.advance(1)
    assert (await fleet.lease(1, "u", known=reopened.epoch)).granted


@pytest.mark.parametrize(
    ("outcome", "open_ms", "ghost_ms"), [(Outcome.FAILED, 2 * REST, 0), (Outcome.THROTTLED, 50, LEASE - 50)]
)
async def test_a_lease_that_a_failover_brings_back_holds_its_slot_until_it_expires_and_no_longer(
    outcome: Outcome, open_ms: int, ghost_ms: int, fleet: Fleet
) -> None:
    """The copy has the grant and missed the probe's end: no replica probes, and none returns the slot."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.copy()
    known = (await fleet.settle(0, "t", outcome, asked_ms=50)).snapshot
    await fleet.bench.fall_back()
    restored = (await fleet.restore(0, known)).snapshot
    assert (restored.state, restored.left_ms) == (OPEN, open_ms)
    await fleet.bench.advance(open_ms)
    if ghost_ms:
        kept, refused = await fleet.everything(), await fleet.lease(1, "u", known=restored.epoch)
        assert (refused.granted, refused.wait_ms) == (False, ghost_ms)
        assert await fleet.everything() == kept
        await fleet.bench.advance(ghost_ms)
    assert (await fleet.lease(1, "u", known=restored.epoch)).granted
    assert (await fleet.settle(1, "u", Outcome.OK)).snapshot.state is CLOSED


async def test_an_outcome_older_than_the_window_is_not_counted_as_new(fleet: Fleet) -> None:
    """Removed rule: outcomes carry their time. A paused replica reports old outcomes."""
    await fleet.bench.advance(30_000)
    late = (await fleet.flush(2, failed=9, age=T.window_ms)).snapshot
    assert (late.state, late.counts) == (CLOSED, Counts())


async def test_a_batch_whose_reply_was_lost_is_counted_once(fleet: Fleet) -> None:
    """Removed rule: batches are numbered. A batch is sent again, or delivered again late."""
    await fleet.flush(1, ok=1)
    assert (await fleet.again(1, ok=1)).snapshot.counts == Counts(1)
    await fleet.flush(1, ok=1)
    fleet.numbers[1] -= 1
    assert (await fleet.again(1, ok=1)).snapshot.counts == Counts(2)


async def test_a_grant_that_is_used_late_can_be_settled_while_its_lease_lasts(fleet: Fleet) -> None:
    """Removed rule: a late grant waits for the next call. The ledger's part: a late reply only costs time."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE - 1)
    assert (await fleet.settle(0, "t", Outcome.OK)).snapshot.state is CLOSED


async def test_a_killed_replica_leaves_nothing_that_outlives_its_lease(fleet: Fleet) -> None:
    """A replica dies between lease and settle: the others close the circuit after one lease."""
    await fleet.opened()
    await fleet.bench.advance(REST)
    await fleet.lease(0, "t")
    await fleet.bench.advance(LEASE)
    await fleet.lease(1, "u")
    assert (await fleet.settle(1, "u", Outcome.OK)).snapshot.state is CLOSED
    assert fleet.bench.now_ms == START_MS + REST + LEASE


# ---- the replicas' part: real ones, over the real Lua, in virtual time -----------------------------------------------


@pytest.fixture
def lua(redis_server: RedisProcess) -> Iterator[Make]:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield lambda clock: VirtualRedisLedger(clock, client)


async def probing(member: Member) -> Call:
    """A probe that the ledger grants eventually."""
    call = None
    async with asyncio.timeout(10):
        while call is None:
            await asyncio.sleep(0.001)
            call = await member.begin()
    assert call.probe
    return call


@pytest.mark.real_redis
def test_a_hanging_probe_has_ended_before_another_one_is_granted(lua: Make) -> None:
    """Removed rule: a probe's time limit counts from the request. With a slow connection two probes overlap."""
    lease_s, one_way_s = 0.8, 0.12
    with SimulatedFleet(2, replace(QUICK, probe_timeout_s=lease_s), ledger=lua) as fleet:
        a, b = fleet.members
        ended_ms = []

        async def scenario() -> None:
            await half_open_next(fleet)
            a.wire.delay_s = one_way_s
            hanging = await probing(a)
            assert hanging.task is not None
            hanging.task.add_done_callback(lambda _: ended_ms.append(fleet.now_s * 1000))
            a.wire.lose.append("settle>")  # so that the lease expires
            following = await probing(b)
            granted_ms = fleet.ledger.circuit(SVC).leases[following.token].until_ms - lease_s * 1000
            assert [at_ms < granted_ms for at_ms in ended_ms] == [True]
            fleet.check()

        fleet.run(scenario())


@pytest.mark.real_redis
def test_the_circuit_closes_even_if_the_ledger_is_slower_than_any_call_waits_for_it(lua: Make) -> None:
    """Removed rule: a late grant waits for the next call. No call ever gets one, and the circuit stays open."""
    with SimulatedFleet(2, ledger=lua) as fleet:

        async def scenario() -> None:
            for member in fleet.members:
                member.wire.delay_s = 0.06
            for _ in range(QUICK.min_samples):
                await fleet.members[0].call(DOWN)
            await asyncio.sleep(0.2)
            assert {m.state for m in fleet.members} == {OPEN}
            await fleet.closes(within_s=1.0 + QUICK.probe_successes * 0.4)

        fleet.run(scenario())


@pytest.mark.real_redis
def test_a_probe_whose_grant_was_lost_overlaps_with_another_one_no_longer_than_it_lasts(lua: Make) -> None:
    """The one exception to an open duration of at least one lease: throttling with a shorter one, after a flush."""
    with SimulatedFleet(2, replace(QUICK, probe_successes=1), ledger=lua) as fleet:
        a, b = fleet.members

        async def scenario() -> None:
            await half_open_next(fleet)
            began_s = fleet.now_s
            lost = await probing(a)
            await fleet.remove_dead(b)
            fleet.flush()
            a.wire.lose.append("read>")  # or it would restore the circuit
            late = await fleet.join("late")
            await late.call(ThrottledError("busy", retry_after_s=0.05, status=429))
            await asyncio.sleep(0.01)
            assert late.state is OPEN
            second = await probing(late)
            assert lost.task is not None
            assert second.task is not None
            assert not lost.task.done(), "the lost probe is still running"
            await asyncio.wait({lost.task}, timeout=began_s + 1.0 - fleet.now_s)
            assert (lost.task.done(), second.task.done()) == (True, False)
            await asyncio.sleep(0.02)
            assert fleet.ledger.circuit(SVC).epoch == second.epoch, "its outcome changes nothing"
            late.end(second)
            await fleet.closes(within_s=0.2)

        fleet.run(scenario())
