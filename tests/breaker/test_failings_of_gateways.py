"""More of what is wrong in the field, in breakers and in gateways; docs/testing.md has the whole list.

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
from tests.breaker.test_failings_of_peers import DOWN, FOUR, half_opened, opened, probing
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, SVC, Fleet
from tests.strategy.scripted import Scripted
from tests.strategy.virtual_time import LoopClock, in_virtual_time


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(4, FOUR)
    with fleet:
        yield fleet


def test_whoever_is_told_of_an_opening_finds_it_in_the_store(fleet: Fleet) -> None:
    """pybreaker tells its listeners first, and then writes."""
    found = []

    def look(event: Event) -> None:
        if isinstance(event, CircuitChanged) and event.scope == "fleet":
            found.append((event.to_state, fleet.ledger.circuit(SVC).state))

    async def scenario() -> None:
        for member in fleet.members:
            member.registry.add_sink(look)
        await opened(fleet)
        assert found == [(OPEN, OPEN)] * 4

    fleet.run(scenario())


@pytest.mark.parametrize("mode", OverrideMode)
def test_whoever_is_told_of_an_operators_word_finds_it_in_the_store(mode: OverrideMode, fleet: Fleet) -> None:
    """pybreaker's `open()` assigns the state first, which tells its listeners, and then writes it to Redis."""
    found = []

    def look(event: Event) -> None:
        if isinstance(event, OverrideChanged):
            word = fleet.ledger.circuit(SVC).override
            found.append((event.mode, word and word.mode))

    async def scenario() -> None:
        for member in fleet.members:
            member.registry.add_sink(look)
        await fleet.members[0].registry.override(SVC, mode, reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert found == [(mode, mode)] * 4
        await fleet.members[0].registry.end_override(SVC, by="me")
        await asyncio.sleep(0.05)
        assert found[4:] == [(None, None)] * 4

    fleet.run(scenario())


def test_a_word_that_the_store_did_not_take_is_told_of_to_nobody(fleet: Fleet) -> None:
    """The same where Redis is gone: pybreaker's listeners have heard of an opening that nobody will ever find."""

    async def scenario() -> None:
        a = fleet.members[0]
        a.wire.cut()
        with pytest.raises(LedgerUnavailableError):
            await a.registry.override(SVC, "open", reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert not any(isinstance(event, OverrideChanged) for m in fleet.members for event in m.events)
        assert a.state is CLOSED

    fleet.run(scenario())


def test_a_call_of_any_length_is_answered_whatever_the_store_does_meanwhile(fleet: Fleet) -> None:
    """gobreaker holds a lock of five seconds while the call runs; a longer one ends in the lock's error."""

    async def scenario() -> None:
        a = fleet.members[0]

        async def long() -> str:
            await asyncio.sleep(20)
            a.wire.cut()
            await asyncio.sleep(20)
            return "fine"

        assert await a.breaker.call(long) == "fine"

    fleet.run(scenario())


def test_a_store_that_lost_its_keys_fails_no_call(fleet: Fleet) -> None:
    """gobreaker: only the constructor writes the key; lost once, every call fails until the process is restarted."""

    async def scenario() -> None:
        for _ in range(3):
            fleet.flush()
            assert [await m.call() for m in fleet.members] == ["ok"] * 4
            await asyncio.sleep(1.5)
        await opened(fleet)

    fleet.run(scenario())


def test_a_failed_call_that_nobody_foresaw_is_counted(fleet: Fleet) -> None:
    """gobreaker: where the guarded function panics, its failure is not stored."""

    class UnforeseenError(Exception): ...

    async def scenario() -> None:
        for member in fleet.members:
            assert await member.call(UnforeseenError()) == "failed"
        await asyncio.sleep(0.05)
        assert {m.state for m in fleet.members} == {OPEN}

    fleet.run(scenario())


def test_a_circuit_that_is_closed_by_hand_is_closed_for_all_at_once(fleet: Fleet) -> None:
    """LiteLLM: who has the cooldown in memory goes on refusing until its own time is up, whatever was deleted."""

    async def scenario() -> None:
        await opened(fleet)
        a = fleet.members[0]
        await a.registry.override(SVC, "closed", reason="well again", by="me")
        await a.registry.end_override(SVC, by="me")
        await asyncio.sleep(0.01)
        assert {m.state for m in fleet.members} == {CLOSED}
        assert [await m.call() for m in fleet.members] == ["ok"] * 4

    fleet.run(scenario())


def test_a_longer_rest_takes_the_place_of_a_shorter_one_in_every_memory(fleet: Fleet) -> None:
    """LiteLLM writes the new deadline over the old one, and its memory keeps the first, shorter one."""

    async def scenario() -> None:
        a, *others = fleet.members
        for for_s in (5.0, 60.0, 20.0):
            await a.registry.override(SVC, "open", reason="deploy", by="me", for_s=for_s)
            await asyncio.sleep(0.01)
            for member in others:
                assert member.breaker.admit().retry_after_s == pytest.approx(for_s, abs=0.1)

    fleet.run(scenario())


def test_who_joins_in_the_middle_of_a_rest_rests_for_what_is_left_of_it(fleet: Fleet) -> None:
    """LiteLLM kept what it had copied from Redis for ten minutes, however little of the cooldown was left."""

    async def scenario() -> None:
        await opened(fleet)
        await asyncio.sleep(1.45)
        late = await fleet.join("late")
        assert late.breaker.admit().retry_after_s == pytest.approx(0.5, abs=0.05)
        await asyncio.sleep(0.55)
        assert late.state is HALF_OPEN

    fleet.run(scenario())


def test_failures_are_remembered_for_the_window_and_not_for_the_length_of_a_rest() -> None:
    """LiteLLM: the count of failures ends with the cooldown's own time, so a short rest forgets slow trouble."""
    fleet = Fleet(2, CircuitPolicy(min_samples=4, window_s=120.0, recovery_timeout_s=1.0))

    async def scenario() -> None:
        for _ in range(2):
            for member in fleet.members:
                assert await member.call(DOWN) == "failed"
            await asyncio.sleep(30)
        assert {m.state for m in fleet.members} == {HALF_OPEN}

    with fleet:
        fleet.run(scenario())


def test_the_end_of_a_rest_lets_in_one_call_of_the_fleet_and_not_all_of_them(fleet: Fleet) -> None:
    """LiteLLM, Portkey: the cooldown ends, and everybody's full traffic meets the service in the same moment."""

    async def scenario() -> None:
        await half_opened(fleet)
        begun = await asyncio.gather(*(m.begin() for m in fleet.members for _ in range(25)))
        assert sum(call is not None for call in begun) == 1

    fleet.run(scenario())


def test_one_good_answer_clears_what_failed_before(fleet: Fleet) -> None:
    """LiteLLM: no success ever clears a cooldown or the count that leads to one."""

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
        assert {m.state for m in fleet.members} == {CLOSED}, "three of four are too few, whatever was before"

    fleet.run(scenario())


def test_more_good_probes_than_may_run_at_once_close_the_circuit() -> None:
    """resilient-llm-gateway counts probes and never counts down: more successes than probes, and it stalls."""
    fleet = Fleet(2, CircuitPolicy(min_samples=4, recovery_timeout_s=2.0, probe_timeout_s=2.0, probe_successes=10))

    async def scenario() -> None:
        for _ in range(4):
            await fleet.members[0].call(DOWN)
        await asyncio.sleep(2.1)
        assert fleet.members[0].state is HALF_OPEN
        await fleet.closes(within_s=5)

    with fleet:
        fleet.run(scenario())


def test_an_open_circuit_logs_no_line_for_each_call_that_it_refuses(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """LiteLLM logged a traceback for each request while open: one core a replica, for a minute."""

    async def scenario() -> None:
        await opened(fleet)
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            for _ in range(500):
                assert await fleet.members[0].call() == "refused"
        assert caplog.records == []

    fleet.run(scenario())


def test_a_store_that_is_away_is_told_of_once_and_not_for_each_call(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """The same of its Redis."""

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


# ---- several targets behind one another -----------------------------------------------------------------------------


def targets(*circuits: str) -> tuple[HighAvailabilityRAG, list[Scripted]]:
    """A system whose embedders are these, each of them down."""
    policy = CircuitPolicy(min_samples=4, recovery_timeout_s=10.0)
    embedders = [Scripted((DOWN,)) for _ in circuits]
    strategy = FallbackStrategy(
        embedders=[Tier(name, target, policy=policy) for name, target in zip(circuits, embedders, strict=True)],
        retrievers=[Scripted()],
        generators=[Scripted()],
    )
    clock = LoopClock()
    return HighAvailabilityRAG(strategy, CircuitRegistry.connect(clock=clock), clock=clock), embedders


def test_a_target_that_serves_as_a_fallback_only_is_spared_like_the_first() -> None:
    """LiteLLM never cooled down those to which it had fallen back."""

    async def scenario() -> list[int]:
        rag, embedders = targets("first", "second")
        async with rag:
            for _ in range(20):
                await rag.query("How?")
        return [len(target.calls) for target in embedders]

    assert in_virtual_time(scenario) == [4, 4]


def test_with_every_target_open_none_of_them_is_called_and_the_question_is_answered() -> None:
    """Portkey passes the breaker by where all targets are open: full traffic to what is down."""

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
