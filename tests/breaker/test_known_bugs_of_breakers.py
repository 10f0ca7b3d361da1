"""Known bugs of other circuit breakers that ours must not have. Each was found in a project that is in use.

One process, or several replicas over one ledger, in virtual time. The projects: pybreaker, purgatory, gobreaker,
interlock-cb, stoplight, powertools, Polly, LiteLLM.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.errors import (
    CircuitOpenError,
    LedgerError,
    LedgerRefusedError,
    LedgerUnavailableError,
    ServiceError,
    ThrottledError,
)
from tests.breaker.one_breaker import OneBreaker, hangs
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, SVC, Call, Fleet, Member
from tests.ledger.wire import Wire

DOWN = ServiceError("down", status=500)
FOUR = CircuitPolicy(
    min_samples=4, window_s=10.0, recovery_timeout_s=2.0, recovery_timeout_max_s=8.0, probe_timeout_s=2.0,
    probe_successes=4,
)  # fmt: skip
"""Four samples open it, four successful probes close it; a lease lasts 2 s."""


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(4, FOUR)
    with fleet:
        yield fleet


async def opened(fleet: Fleet) -> None:
    for member in fleet.members[:4]:
        await member.call(DOWN)
    await asyncio.sleep(0.05)
    assert {m.state for m in fleet.members} == {OPEN}


async def half_opened(fleet: Fleet) -> None:
    await opened(fleet)
    await asyncio.sleep(2.05)
    assert {m.state for m in fleet.members} == {HALF_OPEN}


async def probing(member: Member) -> Call:
    call = None
    async with asyncio.timeout(10):
        while call is None:  # a fleet spreads its lease requests over some milliseconds
            call = await member.begin()
            await asyncio.sleep(0.001)
    assert call.probe
    return call


# ---- calls that wait for a lock or for the store --------------------------------------------------------------------


def test_eight_threads_do_not_wait_for_each_other() -> None:
    """pybreaker holds its lock while the guarded function runs; gobreaker holds a mutex for the whole fleet."""
    breaker = OneBreaker().breaker
    all_inside = threading.Barrier(8, timeout=10)
    threads = [threading.Thread(target=breaker.call_sync, args=(all_inside.wait,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not all_inside.broken


def test_eight_replicas_call_at_once() -> None:
    """gobreaker: its mutex is in Redis, so the whole fleet makes one call at a time."""
    fleet = Fleet(8, FOUR)

    async def scenario() -> None:
        all_inside = asyncio.Barrier(8)
        async with asyncio.timeout(1):
            await asyncio.gather(*(m.breaker.call(all_inside.wait) for m in fleet.members))

    with fleet:
        fleet.run(scenario())


async def a_second_of_calls(member: Member) -> tuple[set[str], Counter[str]]:
    """The outcomes of a thousand calls, and the commands sent to the store meanwhile."""
    before = Counter(member.wire.sent)
    outcomes = set()
    for _ in range(1000):
        outcomes.add(await member.call())
        await asyncio.sleep(0.001)
    return outcomes, Counter(member.wire.sent) - before


BESIDE_CALLS = {"beat", "change_log", "replicas"}
"""Commands that a replica sends periodically, independent of calls."""


def test_closed_and_open_circuits_send_no_commands_per_call(fleet: Fleet) -> None:
    """pybreaker: two commands per call; gobreaker: four, even for a refusal."""

    async def scenario() -> None:
        a = fleet.members[0]
        outcomes, sent = await a_second_of_calls(a)
        assert outcomes == {"ok"}
        assert sent["record"] <= 10
        assert sent["read"] <= 2
        assert sent.keys() - {"record", "read"} <= BESIDE_CALLS
        await asyncio.sleep(10.5)
        await opened(fleet)
        outcomes, sent = await a_second_of_calls(a)
        assert outcomes == {"refused"}
        assert sent["read"] <= 2
        assert sent.keys() - {"read"} <= BESIDE_CALLS

    fleet.run(scenario())


def test_a_trip_takes_one_command_and_a_successful_probe_two(fleet: Fleet) -> None:
    """pybreaker: eight commands for a trip, eleven for a successful probe."""

    async def scenario() -> None:
        a = fleet.members[0]
        before = Counter(a.wire.sent)
        for _ in range(4):
            await a.call(DOWN)
        await asyncio.sleep(2.05)
        assert (Counter(a.wire.sent) - before)["record"] == 1
        for _ in range(FOUR.probe_successes):
            a.end(await probing(a))
            await asyncio.sleep(0.05)
        assert a.state is CLOSED
        sent = Counter(a.wire.sent) - before
        assert (sent["lease"], sent["settle"]) == (FOUR.probe_successes, FOUR.probe_successes)
        assert sent.keys() - {"record", "lease", "settle", "read"} <= BESIDE_CALLS

    fleet.run(scenario())


async def _called(breaker: CircuitBreaker, fn: Callable[[], str]) -> str:
    async def work() -> str:
        return fn()

    return await breaker.call(work)


async def _inside_a_block(breaker: CircuitBreaker, fn: Callable[[], str]) -> str:
    async with breaker:
        return fn()


async def _called_sync(breaker: CircuitBreaker, fn: Callable[[], str]) -> str:
    return breaker.call_sync(fn)


WAYS: dict[str, Callable[[CircuitBreaker, Callable[[], str]], Awaitable[str]]] = {
    "call": _called, "async with": _inside_a_block, "call_sync": _called_sync,
}  # fmt: skip


def fails() -> str:
    raise ServiceError("down", status=500)


async def _without_the_store(fleet: Fleet, a: Member) -> None:
    a.wire.cut()


async def _half_open(fleet: Fleet, a: Member, error: LedgerError) -> None:
    await half_opened(fleet)
    a.wire.failing["settle"] = error


STORE_FAILURES: dict[str, Callable[[Fleet, Member], Awaitable[None]]] = {
    "closed, gone": _without_the_store,
    "half-open, not answering": lambda fleet, a: _half_open(fleet, a, LedgerUnavailableError("no answer")),
    "half-open, refusing": lambda fleet, a: _half_open(fleet, a, LedgerRefusedError("READONLY")),
}


async def call_until_admitted(way: str, member: Member, fn: Callable[[], str]) -> str:
    """Calls until admitted: while half-open, the store must first grant a probe."""
    until_s = member.fleet.now_s + 1.0
    while member.fleet.now_s < until_s:
        try:
            return await WAYS[way](member.breaker, fn)
        except CircuitOpenError:
            pass
        await asyncio.sleep(0.001)
    raise AssertionError("never admitted")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", STORE_FAILURES)
def test_a_store_error_never_replaces_the_services_error(trouble: str, way: str, fleet: Fleet) -> None:
    """purgatory: a ConnectionError of Redis at the end of the block replaces the service's error."""

    async def scenario() -> None:
        a = fleet.members[0]
        await STORE_FAILURES[trouble](fleet, a)
        with pytest.raises(ServiceError) as raised:
            await call_until_admitted(way, a, fails)
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None
        await asyncio.sleep(1)

    fleet.run(scenario())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", STORE_FAILURES)
def test_a_store_error_never_replaces_a_result(trouble: str, way: str, fleet: Fleet) -> None:
    """gobreaker: the call's result is returned together with the lock's error, as a failure."""

    async def scenario() -> None:
        a = fleet.members[0]
        await STORE_FAILURES[trouble](fleet, a)
        assert await call_until_admitted(way, a, lambda: "fine") == "fine"
        await asyncio.sleep(1)

    fleet.run(scenario())


def test_no_call_of_a_healthy_service_fails_while_the_store_is_unreachable(fleet: Fleet) -> None:
    """gobreaker and purgatory: while Redis is unreachable, no call is made."""

    async def scenario() -> None:
        for member in fleet.members:
            member.wire.cut()
        for _ in range(20):
            assert [await m.call() for m in fleet.members] == ["ok"] * 4
            await asyncio.sleep(0.1)

    fleet.run(scenario())


def test_a_process_starts_while_its_store_is_down(fleet: Fleet) -> None:
    """pybreaker: the constructor raises, so the process does not start."""

    async def scenario() -> None:
        wire = Wire(fleet.ledger)
        wire.cut()
        member = await fleet.join("late", wire=wire)
        assert await member.call() == "ok"

    fleet.run(scenario())


def test_a_registry_whose_address_refuses_connections_is_usable() -> None:
    """The same with the real Redis client."""
    registry = CircuitRegistry.connect("redis://127.0.0.1:1/0", replica="r1")
    assert registry.breaker("svc").call_sync(str.upper, "x") == "X"
    with registry:  # the call has joined; this leaves
        pass


def test_an_open_circuit_stays_open_when_the_store_is_lost(fleet: Fleet) -> None:
    """pybreaker, powertools: without the store an open circuit counts as closed, so calls reach the dead service."""

    async def scenario() -> None:
        await opened(fleet)
        for member in fleet.members:
            member.wire.cut()
        for _ in range(19):
            await asyncio.sleep(0.1)
            assert [await m.call() for m in fleet.members] == ["refused"] * 4
        await asyncio.sleep(0.2)
        begun = [await m.begin() for m in fleet.members for _ in range(5)]
        assert sum(call is not None for call in begun) == 4  # one probe of each replica

    fleet.run(scenario())


def test_an_open_circuit_stays_open_after_the_store_is_flushed(fleet: Fleet) -> None:
    """pybreaker, purgatory, stoplight, faulty: a missing key counts as closed."""

    async def scenario() -> None:
        await opened(fleet)
        fleet.flush()
        for _ in range(18):
            assert [await m.call() for m in fleet.members] == ["refused"] * 4
            await asyncio.sleep(0.1)
        assert fleet.ledger.circuit(SVC).state is OPEN, "a replica has restored it"

    fleet.run(scenario())


def test_a_circuit_opened_locally_stays_open_after_the_store_returns(fleet: Fleet) -> None:
    """interlock adopts the store's state, ignoring what it has seen itself meanwhile."""

    async def scenario() -> None:
        a, *healthy = fleet.members
        a.wire.cut()
        await asyncio.sleep(2)
        for _ in range(4):
            await a.call(DOWN)
            await asyncio.gather(*(m.call() for m in healthy))
        await asyncio.sleep(0.2)
        a.wire.repair()
        for _ in range(17):
            assert [await m.call() for m in fleet.members] == ["refused", "ok", "ok", "ok"]
            await asyncio.sleep(0.1)
        assert not a.view.ledger_unreachable
        await asyncio.sleep(0.2)
        assert (await probing(a)).local

    fleet.run(scenario())


def test_a_replica_still_opens_its_circuit_without_the_store(fleet: Fleet) -> None:
    """stoplight: protection was disabled while Redis was unreachable."""

    async def scenario() -> None:
        a = fleet.members[0]
        a.wire.cut()
        await asyncio.sleep(2)
        for _ in range(4):
            await a.call(DOWN)
        assert a.state is OPEN

    fleet.run(scenario())


# ---- probes ---------------------------------------------------------------------------------------------------------


def test_sixteen_replicas_send_one_probe() -> None:
    """pybreaker: sixteen at once; purgatory: sixty-four."""
    fleet = Fleet(16, FOUR)

    async def scenario() -> None:
        await half_opened(fleet)
        begun = await asyncio.gather(*(m.begin() for m in fleet.members for _ in range(4)))
        assert sum(call is not None for call in begun) == 1

    with fleet:
        fleet.run(scenario())


def test_successful_probes_of_different_replicas_add_up(fleet: Fleet) -> None:
    """pybreaker: a replica that merely notices a change resets the count, so the circuit never closes."""

    async def scenario() -> None:
        await half_opened(fleet)
        for member in fleet.members:
            probe = await probing(member)
            member.end(probe)
            await asyncio.sleep(0.05)
            await asyncio.gather(*(m.registry.circuits() for m in fleet.members))
        assert {m.state for m in fleet.members} == {CLOSED}

    fleet.run(scenario())


def test_a_replica_that_only_observes_writes_nothing(fleet: Fleet) -> None:
    """pybreaker: every replica that observes a transition writes to the store."""

    async def scenario() -> None:
        a, *others = fleet.members
        for _ in range(4):
            await a.call(DOWN)
        await asyncio.sleep(0.05)
        opened_circuit = fleet.ledger.circuit(SVC)
        await asyncio.sleep(5)
        for member in others:
            await member.registry.circuits()
            assert member.state is HALF_OPEN
            assert set(member.wire.sent) <= {"read", "circuits", *BESIDE_CALLS}
        assert fleet.ledger.circuit(SVC) == opened_circuit

    fleet.run(scenario())


def test_a_late_success_does_not_close_a_circuit_that_opened_again() -> None:
    """pybreaker, purgatory, opossum: probe A fails, the circuit opens, B's late success closes it."""
    fleet = Fleet(2, CircuitPolicy(
        min_samples=4, window_s=10.0, recovery_timeout_s=2.0, probe_timeout_s=2.0, probe_successes=1, probes=2,
    ))  # fmt: skip

    async def scenario() -> None:
        a, b = fleet.members
        for _ in range(4):
            await a.call(DOWN)
        await asyncio.sleep(2.1)
        first, second = await probing(a), await probing(b)
        a.end(first, DOWN)
        await asyncio.sleep(0.05)
        b.end(second)
        await asyncio.sleep(0.05)
        assert {a.state, b.state} == {OPEN}

    with fleet:
        fleet.run(scenario())


def test_a_late_failure_does_not_prolong_the_open_duration(fleet: Fleet) -> None:
    """Polly gives the reason in its source: the call began before the circuit opened."""

    async def scenario() -> None:
        a = fleet.members[0]
        late = await a.begin()
        assert late is not None
        await opened(fleet)
        until_ms = fleet.ledger.circuit(SVC).open_until_ms
        await asyncio.sleep(1)
        a.end(late, DOWN)
        await asyncio.sleep(0.5)
        assert fleet.ledger.circuit(SVC).open_until_ms == until_ms

    fleet.run(scenario())


def test_cancelled_probes_do_not_hold_a_healthy_circuit_half_open(fleet: Fleet) -> None:
    """interlock: a cancelled probe never returns its slot, and every refused call extends the key's life."""

    async def scenario() -> None:
        await half_opened(fleet)
        a, *others = fleet.members
        cancelled, until_s = 0, fleet.now_s + 1.0  # a lease lasts 2 s, so each must be returned
        while fleet.now_s < until_s and cancelled < 3:
            permit = (await a.breaker.admit_soon()).permit
            if permit is not None:
                assert permit.probe
                assert [await m.call() for m in others] == ["refused"] * 3
                permit.cancelled()
                cancelled += 1
            await asyncio.sleep(0.01)
        assert cancelled == 3
        await fleet.closes(within_s=1.0)

    fleet.run(scenario())


def test_a_refused_probe_request_changes_nothing_in_the_store(fleet: Fleet) -> None:
    """interlock extends its key's life even when it grants nothing."""

    async def scenario() -> None:
        await half_opened(fleet)
        a, *others = fleet.members
        for member in others:
            member.wire.delay_s = 0.02  # asks before it can hear of the grant, by a message or its own poll
        asking = [asyncio.ensure_future(m.begin()) for m in others]
        await probing(a)
        before, until_s = fleet.ledger.circuit(SVC), fleet.now_s + 1.0  # half of the lease
        assert await asyncio.gather(*asking) == [None] * 3
        assert all(m.wire.asked and not m.wire.granted for m in others), "the store itself refused each of them"
        while fleet.now_s < until_s:
            assert [await m.begin() for m in others] == [None] * 3
            await asyncio.sleep(0.05)
        assert fleet.ledger.circuit(SVC) == before

    fleet.run(scenario())


def test_a_killed_prober_does_not_block_the_circuit(fleet: Fleet) -> None:
    """LiteLLM: the probe's owner key in Redis never expired; resilience4j, Hystrix, Sentinel: stuck half-open."""

    async def scenario() -> None:
        await half_opened(fleet)
        a = fleet.members[0]
        await probing(a)
        await fleet.remove_dead(a)
        await fleet.closes(within_s=2 + 4 * 0.2 + 1)

    fleet.run(scenario())


def test_a_killed_prober_holds_its_lease_for_a_calls_time_and_not_for_the_open_duration() -> None:
    """powertools: the lease lasts as long as the open duration."""
    fleet = Fleet(2, replace(FOUR, recovery_timeout_s=60.0, recovery_timeout_max_s=60.0, probe_timeout_s=None), 1.0)

    async def scenario() -> None:
        for _ in range(4):
            await fleet.members[0].call(DOWN)
        await asyncio.sleep(60.1)
        await probing(fleet.members[0])
        await fleet.remove_dead(fleet.members[0])
        await fleet.closes(within_s=1.0 + 1.0 + 4 * 0.2 + 0.2)

    with fleet:
        fleet.run(scenario())


def test_settling_the_last_probe_closes_the_circuit_even_if_the_replica_dies(fleet: Fleet) -> None:
    """interlock: counting and closing are two steps, and the replica may die between them."""

    async def scenario() -> None:
        await half_opened(fleet)
        a = fleet.members[0]
        for _ in range(4):
            probe = await probing(a)
            a.end(probe)
            await fleet.settled(probe)
            await asyncio.sleep(0.005)
        await fleet.remove_dead(a)
        assert fleet.ledger.circuit(SVC).state is CLOSED
        await asyncio.sleep(1.2)
        assert {m.state for m in fleet.members} == {CLOSED}

    fleet.run(scenario())


# ---- counting -------------------------------------------------------------------------------------------------------


def test_failures_spread_over_eight_replicas_open_the_circuit() -> None:
    """interlock, powertools: each process counts alone, and none sees enough failures."""
    fleet = Fleet(8, CircuitPolicy(min_samples=8))

    async def scenario() -> None:
        for member in fleet.members:
            await member.call(DOWN)
        await asyncio.sleep(0.05)
        assert {m.state for m in fleet.members} == {OPEN}

    with fleet:
        fleet.run(scenario())


def test_successes_of_others_do_not_hide_the_replica_that_fails_every_time(fleet: Fleet) -> None:
    """pybreaker: any success of any replica resets the fleet's count, so one failing replica never opens."""

    async def scenario() -> None:
        a, *healthy = fleet.members
        for _ in range(10):
            await asyncio.gather(*(m.call() for m in healthy))
        await asyncio.sleep(0.2)
        refused = 0
        for _ in range(50):
            for member in healthy:
                await member.call()
            refused += await a.call(DOWN) == "refused"
            await asyncio.sleep(0.02)
        assert refused > 30
        assert {m.state for m in healthy} == {CLOSED}

    fleet.run(scenario())


def test_twenty_concurrent_failures_open_a_circuit_that_needs_four() -> None:
    """purgatory compares with the count read before the call: after twenty at once it is still closed."""
    one = OneBreaker()
    permits = [one.permit() for _ in range(20)]
    for permit in permits:
        permit.failed()
    assert one.breaker.state is OPEN


async def _hangs_inside_a_block(breaker: CircuitBreaker) -> None:
    async with breaker:
        await hangs()


HANGING: dict[str, Callable[[CircuitBreaker], Coroutine[Any, Any, object]]] = {
    "call": lambda breaker: breaker.call(hangs), "async with": _hangs_inside_a_block,
}  # fmt: skip


@pytest.mark.parametrize("way", HANGING)
async def test_cancelled_calls_do_not_open_the_circuit(way: str) -> None:
    """purgatory, Polly: a cancellation counts as a failure or as a success."""
    one = OneBreaker(CircuitPolicy(min_samples=1))
    for _ in range(5):
        task = asyncio.create_task(HANGING[way](one.breaker))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    assert one.breaker.state is CLOSED
    assert one.counts == Counts()


async def test_a_cancelled_probe_does_not_close_the_circuit() -> None:
    """The same while half-open: the lease is returned, and nothing is decided."""
    one = OneBreaker()
    one.half_opens()
    one.permit().cancelled()
    assert one.breaker.state is HALF_OPEN
    assert one.permit().probe


# ---- what replicas share --------------------------------------------------------------------------------------------


def test_every_replica_knows_when_to_retry(fleet: Fleet) -> None:
    """interlock: `retry_after` is always None with shared state."""

    async def scenario() -> None:
        await opened(fleet)
        for member in fleet.members:
            assert member.breaker.admit().retry_after_s == pytest.approx(2.0, abs=0.1)

    fleet.run(scenario())


def test_open_durations_grow_for_the_whole_fleet(fleet: Fleet) -> None:
    """interlock: no growing open duration with shared state."""

    async def scenario() -> None:
        await half_opened(fleet)
        a, b = fleet.members[:2]
        a.end(await probing(a), DOWN)
        await asyncio.sleep(0.05)
        assert b.breaker.admit().retry_after_s == pytest.approx(4.0, abs=0.5)

    fleet.run(scenario())


def test_throttling_of_one_replica_opens_the_circuit_of_all(fleet: Fleet) -> None:
    """resilience4j, failsafe-go: known to one process only."""

    async def scenario() -> None:
        a, b = fleet.members[:2]
        await a.call(ThrottledError("slow down", retry_after_s=7.0, status=429))
        await asyncio.sleep(0.05)
        assert b.breaker.admit().retry_after_s == pytest.approx(7.0, abs=0.1)

    fleet.run(scenario())


@pytest.mark.parametrize("mode", OverrideMode)
def test_an_override_applies_to_every_replica(mode: OverrideMode, fleet: Fleet) -> None:
    """interlock, resilience4j: forced open or disabled in one process only."""

    async def scenario() -> None:
        await fleet.members[0].registry.override(SVC, mode, reason="deploy", by="me", for_s=60)
        await asyncio.sleep(0.05)
        assert {m.view.fleet.override and m.view.fleet.override.mode for m in fleet.members} == {mode}
        for _ in range(4):
            await asyncio.gather(*(m.call(DOWN) for m in fleet.members))
        await asyncio.sleep(0.2)
        assert {m.state for m in fleet.members} == {OPEN if mode is OverrideMode.OPEN else CLOSED}

    fleet.run(scenario())


def test_a_trip_reaches_the_others_at_once_not_with_their_next_poll(fleet: Fleet) -> None:
    """powertools: up to five seconds; LiteLLM: up to ten; interlock: one poll."""

    async def scenario() -> None:
        a, *others = fleet.members
        for _ in range(4):
            await a.call(DOWN)
        await asyncio.sleep(0.01)
        assert {m.state for m in others} == {OPEN}

    fleet.run(scenario())


def test_a_long_lived_breaker_object_is_updated(fleet: Fleet) -> None:
    """purgatory: a breaker object that is reused never reads Redis again."""

    async def scenario() -> None:
        kept = fleet.members[3].breaker
        assert await kept.call(lambda: "fine") == "fine"
        await opened(fleet)
        assert kept.state is OPEN

    fleet.run(scenario())


# ---- keys and policies ----------------------------------------------------------------------------------------------


def test_two_breakers_do_not_share_one_state(fleet: Fleet) -> None:
    """pybreaker: the name is not part of the key."""

    async def scenario() -> None:
        other = fleet.members[0].registry.breaker("other", FOUR)
        await opened(fleet)
        assert other.state is CLOSED

    fleet.run(scenario())


def test_a_new_policy_applies_from_the_next_call() -> None:
    """purgatory keeps the threshold and the open duration of the first process that wrote them to Redis."""
    fleet = Fleet(1, CircuitPolicy(min_samples=5, recovery_timeout_s=2.0))

    async def scenario() -> None:
        for _ in range(2):
            await fleet.members[0].call(DOWN)
        await asyncio.sleep(0.05)
        fleet.policy = CircuitPolicy(min_samples=3, recovery_timeout_s=7.0)
        deployed = await fleet.join("new")
        await deployed.call(DOWN)
        await asyncio.sleep(0.05)
        assert fleet.ledger.circuit(SVC).state is OPEN
        for member in fleet.members:
            assert member.breaker.admit().retry_after_s == pytest.approx(7.0, abs=0.1)

    with fleet:
        fleet.run(scenario())


def test_an_override_without_expiry_is_obeyed_while_the_store_is_unreachable(fleet: Fleet) -> None:
    """pybreaker: forced open without its store, every call ended in a RecursionError."""

    async def scenario() -> None:
        a = fleet.members[0]
        await a.registry.override(SVC, OverrideMode.OPEN, reason="deploy", by="me")
        a.wire.cut()
        await asyncio.sleep(3)
        assert await a.call() == "refused"
        assert a.breaker.admit().retry_after_s is None

    fleet.run(scenario())


def test_a_stale_replica_overwrites_nothing(fleet: Fleet) -> None:
    """powertools: an unconditional put by a replica that was paused overwrites newer state."""

    async def scenario() -> None:
        a, b = fleet.members[:2]
        late = [await a.begin() for _ in range(4)]
        a.wire.pause()
        for _ in range(4):
            await b.call(DOWN)
        await asyncio.sleep(30)
        fleet.members.remove(a)
        await fleet.closes(within_s=4)
        epoch = fleet.ledger.circuit(SVC).epoch
        fleet.members.append(a)
        a.wire.resume()
        for call in late:
            assert call is not None
            a.end(call, DOWN)
        await asyncio.sleep(2)
        assert fleet.ledger.circuit(SVC).epoch == epoch
        assert {m.state for m in fleet.members} == {CLOSED}

    fleet.run(scenario())


async def test_a_ledger_error_is_never_raised_to_the_caller_of_a_guarded_function() -> None:
    """It has its own class, which only operators see."""
    fleet_error = LedgerUnavailableError("gone")
    one = OneBreaker()
    assert not isinstance(fleet_error, ServiceError)
    with pytest.raises(ServiceError):
        await one.breaker.call(fails)
