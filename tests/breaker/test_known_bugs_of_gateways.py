"""Known bugs of other breakers and of LLM gateways that ours must not have; docs/testing.md has the full list.

One process, or several replicas over one ledger, in virtual time. The projects: pybreaker, gobreaker, LiteLLM, Portkey.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerUnavailableError
from ha_rag.events import CircuitChanged, Event, OverrideChanged
from ha_rag.strategy import FallbackStrategy, Tier
from ha_rag.system import HighAvailabilityRAG
from tests.breaker.test_known_bugs_of_breakers import DOWN, FOUR, half_opened, opened, probing
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, SVC, Fleet
from tests.strategy.scripted import Scripted
from tests.strategy.virtual_time import LoopClock, in_virtual_time


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(4, FOUR)
    with fleet:
        yield fleet


def test_an_announced_opening_is_already_in_the_store(fleet: Fleet) -> None:
    """pybreaker calls its listeners before it writes to the store."""
    found = []

    def read_store(event: Event) -> None:
        if isinstance(event, CircuitChanged) and event.scope == "fleet":
            found.append((event.to_state, fleet.ledger.circuit(SVC).state))

    async def scenario() -> None:
        for member in fleet.members:
            member.registry.add_sink(read_store)
        await opened(fleet)
        assert found == [(OPEN, OPEN)] * 4

    fleet.run(scenario())


@pytest.mark.parametrize("mode", OverrideMode)
def test_an_announced_override_is_already_in_the_store(mode: OverrideMode, fleet: Fleet) -> None:
    """pybreaker's `open()` sets the state, which calls its listeners, before it writes to Redis."""
    found = []

    def read_store(event: Event) -> None:
        if isinstance(event, OverrideChanged):
            override = fleet.ledger.circuit(SVC).override
            found.append((event.mode, override and override.mode))

    async def scenario() -> None:
        for member in fleet.members:
            member.registry.add_sink(read_store)
        await fleet.members[0].registry.override(SVC, mode, reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert found == [(mode, mode)] * 4
        await fleet.members[0].registry.end_override(SVC, by="me")
        await asyncio.sleep(0.05)
        assert found[4:] == [(None, None)] * 4

    fleet.run(scenario())


def test_an_override_that_the_store_rejects_is_not_announced(fleet: Fleet) -> None:
    """Without Redis, pybreaker announces an opening that is never stored."""

    async def scenario() -> None:
        a = fleet.members[0]
        a.wire.cut()
        with pytest.raises(LedgerUnavailableError):
            await a.registry.override(SVC, "open", reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert not any(isinstance(event, OverrideChanged) for m in fleet.members for event in m.events)
        assert a.state is CLOSED

    fleet.run(scenario())


def test_a_call_of_any_length_succeeds_even_if_the_store_fails_meanwhile(fleet: Fleet) -> None:
    """gobreaker holds a five-second lock while the call runs; a longer call ends in the lock's error."""

    async def scenario() -> None:
        a = fleet.members[0]

        async def long() -> str:
            await asyncio.sleep(20)
            a.wire.cut()
            await asyncio.sleep(20)
            return "fine"

        assert await a.breaker.call(long) == "fine"

    fleet.run(scenario())


def test_no_call_fails_because_the_store_lost_its_keys(fleet: Fleet) -> None:
    """gobreaker: only the constructor writes the key; once it is lost, every call fails until a restart."""

    async def scenario() -> None:
        for _ in range(3):
            fleet.flush()
            assert [await m.call() for m in fleet.members] == ["ok"] * 4
            await asyncio.sleep(1.5)
        await opened(fleet)

    fleet.run(scenario())


def test_a_call_that_fails_with_an_unexpected_error_is_counted(fleet: Fleet) -> None:
    """gobreaker: if the guarded function panics, its failure is not stored."""

    class UnexpectedError(Exception): ...

    async def scenario() -> None:
        for member in fleet.members:
            assert await member.call(UnexpectedError()) == "failed"
        await asyncio.sleep(0.05)
        assert {m.state for m in fleet.members} == {OPEN}

    fleet.run(scenario())


def test_a_circuit_closed_by_an_override_is_closed_for_all_at_once(fleet: Fleet) -> None:
    """LiteLLM: a process with the cooldown in memory keeps refusing until it expires, even if deleted in Redis."""

    async def scenario() -> None:
        await opened(fleet)
        a = fleet.members[0]
        await a.registry.override(SVC, "closed", reason="recovered", by="me")
        await a.registry.end_override(SVC, by="me")
        await asyncio.sleep(0.01)
        assert {m.state for m in fleet.members} == {CLOSED}
        assert [await m.call() for m in fleet.members] == ["ok"] * 4

    fleet.run(scenario())


def test_a_later_override_replaces_the_open_duration_in_every_replica(fleet: Fleet) -> None:
    """LiteLLM overwrites the deadline in Redis, but its memory keeps the first, shorter one."""

    async def scenario() -> None:
        a, *others = fleet.members
        for for_s in (5.0, 60.0, 20.0):
            await a.registry.override(SVC, "open", reason="deploy", by="me", for_s=for_s)
            await asyncio.sleep(0.01)
            for member in others:
                assert member.breaker.admit().retry_after_s == pytest.approx(for_s, abs=0.1)

    fleet.run(scenario())


def test_a_replica_that_joins_while_open_refuses_only_for_the_remaining_time(fleet: Fleet) -> None:
    """LiteLLM cached the cooldown from Redis for ten minutes, even if less of it was left."""

    async def scenario() -> None:
        await opened(fleet)
        await asyncio.sleep(1.45)
        late = await fleet.join("late")
        assert late.breaker.admit().retry_after_s == pytest.approx(0.5, abs=0.05)
        await asyncio.sleep(0.55)
        assert late.state is HALF_OPEN

    fleet.run(scenario())


def test_failures_are_counted_over_the_window_and_not_over_the_open_duration() -> None:
    """LiteLLM: the failure count expires with the cooldown time, so a short cooldown forgets infrequent failures."""
    fleet = Fleet(2, CircuitPolicy(min_samples=4, window_s=120.0, recovery_timeout_s=1.0))

    async def scenario() -> None:
        for _ in range(2):
            for member in fleet.members:
                assert await member.call(DOWN) == "failed"
            await asyncio.sleep(30)
        assert {m.state for m in fleet.members} == {HALF_OPEN}

    with fleet:
        fleet.run(scenario())


def test_when_the_open_duration_ends_the_fleet_sends_one_call(fleet: Fleet) -> None:
    """LiteLLM, Portkey: when the cooldown ends, the full traffic of all processes reaches the service at once."""

    async def scenario() -> None:
        await half_opened(fleet)
        begun = await asyncio.gather(*(m.begin() for m in fleet.members for _ in range(25)))
        assert sum(call is not None for call in begun) == 1

    fleet.run(scenario())


def test_closing_clears_earlier_failures(fleet: Fleet) -> None:
    """LiteLLM: no success clears a cooldown or the failure count."""

    async def scenario() -> None:
        await half_opened(fleet)
        for _ in range(FOUR.probe_successes):
            fleet.members[0].end(await probing(fleet.members[0]))
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        assert {m.state for m in fleet.members} == {CLOSED}
        for member in fleet.members[:3]:
            assert await member.call(DOWN) == "failed"
        await asyncio.sleep(0.2)
        assert {m.state for m in fleet.members} == {CLOSED}, (
            "three of four failures are too few, and earlier ones no longer count"
        )

    fleet.run(scenario())


def test_a_circuit_closes_after_more_probes_than_may_run_at_once() -> None:
    """resilient-llm-gateway never decrements its count of probes: it stalls if it needs more successes than probes."""
    fleet = Fleet(2, CircuitPolicy(min_samples=4, recovery_timeout_s=2.0, probe_timeout_s=2.0, probe_successes=10))

    async def scenario() -> None:
        for _ in range(4):
            await fleet.members[0].call(DOWN)
        await asyncio.sleep(2.1)
        assert fleet.members[0].state is HALF_OPEN
        await fleet.closes(within_s=5)

    with fleet:
        fleet.run(scenario())


def test_an_open_circuit_does_not_log_each_refused_call(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """LiteLLM logged a traceback for each request while open, which used one core per replica for a minute."""

    async def scenario() -> None:
        await opened(fleet)
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            for _ in range(500):
                assert await fleet.members[0].call() == "refused"
        assert caplog.records == []

    fleet.run(scenario())


def test_an_unreachable_store_is_announced_once_and_not_for_each_call(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """LiteLLM logs each failed access to Redis too."""

    async def scenario() -> None:
        a = fleet.members[0]
        a.wire.cut()
        with caplog.at_level(logging.INFO):
            for _ in range(500):
                assert await a.call() == "ok"
                await asyncio.sleep(0.01)
        assert [event.kind for event in a.events] == ["LedgerLost"]
        assert caplog.records == []

    fleet.run(scenario())


# ---- several targets in a chain -------------------------------------------------------------------------------------


def targets(*circuits: str) -> tuple[HighAvailabilityRAG, list[Scripted]]:
    """A system with these embedders, all of them down."""
    policy = CircuitPolicy(min_samples=4, recovery_timeout_s=10.0)
    embedders = [Scripted((DOWN,)) for _ in circuits]
    strategy = FallbackStrategy(
        embedders=[Tier(name, target, policy=policy) for name, target in zip(circuits, embedders, strict=True)],
        retrievers=[Scripted()],
        generators=[Scripted()],
    )
    clock = LoopClock()
    return HighAvailabilityRAG(strategy, CircuitRegistry.connect(clock=clock), clock=clock), embedders


def test_a_fallback_target_opens_like_the_first() -> None:
    """LiteLLM never put fallback targets into cooldown."""

    async def scenario() -> list[int]:
        rag, embedders = targets("first", "second")
        async with rag:
            for _ in range(20):
                await rag.query("How?")
        return [len(target.calls) for target in embedders]

    assert in_virtual_time(scenario) == [4, 4]


def test_with_every_target_open_none_is_called_and_the_question_is_answered() -> None:
    """Portkey bypasses the breaker if all targets are open, and sends full traffic to services that are down."""

    async def scenario() -> None:
        rag, embedders = targets("first", "second", "third")
        async with rag:
            for _ in range(4):
                await rag.query("How?")
            before = [len(target.calls) for target in embedders]
            for _ in range(20):
                assert (await rag.query("How?")).text
            assert [len(target.calls) for target in embedders] == before

    in_virtual_time(scenario)
