"""A registry with many circuits of which few are in use, in virtual time: what it sends, and what it remembers."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import CircuitOpenError, ConfigurationError, LedgerRefusedError
from ha_rag.ledger.store.ledger import ChangeLog
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.view.sleep import IDLE_S
from ha_rag.sharing import Freshness
from tests.ledger.bench import terms
from tests.strategy.virtual_time import LoopClock, in_virtual_time

MANY, USED = 400, 30
SETTLED_S = 4 * IDLE_S

Scenario = Callable[[], Coroutine[Any, Any, None]]


class CountingLedger(MemoryLedger):
    """Counts the commands that it gets, and the circuits that it reads.

    `deaf`: pushes nothing. `complete`: whether every replica writes the log. `forbidden`: the log may not be read.
    """

    def __init__(self) -> None:
        super().__init__(LoopClock())
        self.commands: Counter[str] = Counter()
        self.read_names: Counter[str] = Counter()
        self.beats: list[tuple[str, Sequence[str]]] = []
        self.deaf, self.complete, self.forbidden = False, True, False

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        self.commands["read"] += 1
        self.read_names.update(list(circuits))
        return await super().read(circuits)

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        self.commands["record"] += 1
        return await super().record(circuit, terms, batch, jitter)

    async def change_log(self, cursor: str | None) -> ChangeLog | None:
        self.commands["change_log"] += 1
        if self.forbidden:
            raise LedgerRefusedError("NOPERM this user has no permissions to run the 'xrange' command")
        log = await super().change_log(cursor)
        return log and ChangeLog(log.cursor, log.changes, log.gap, self.complete)

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        self.commands["beat"] += 1
        self.beats.append((body, circuits))
        return await super().beat(incarnation, body, circuits, life_ms)

    def _push(self, change: Any) -> None:
        if not self.deaf:
            super()._push(change)


async def answer() -> int:
    return 1


async def fail() -> None:
    raise OSError("down")


@asynccontextmanager
async def replica(ledger: MemoryLedger, circuits: int = MANY, **settings: Any) -> AsyncIterator[CircuitRegistry]:
    """A replica with so many circuits named `c0`, `c1` ..., none of which was called for a while."""
    registry = CircuitRegistry(lambda: ledger, replica="r", clock=LoopClock(), **settings)
    async with registry:
        for number in range(circuits):
            registry.breaker(f"c{number}")
        await asyncio.sleep(SETTLED_S)
        yield registry


async def use(registry: CircuitRegistry, seconds: int, names: Sequence[str]) -> None:
    """Calls each name once a second."""
    for _ in range(seconds):
        for name in names:
            await registry.breaker(name).call(answer)
        await asyncio.sleep(1)


# ---- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("circuits", [25, MANY])
def test_idle_circuits_cost_the_same_however_many_there_are(circuits: int) -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger, circuits):
            ledger.commands.clear()
            ledger.read_names.clear()
            await asyncio.sleep(100)
            assert 90 <= ledger.commands["change_log"] <= 111
            assert 90 <= ledger.commands["beat"] <= 111
            assert ledger.commands["record"] == 0
            assert ledger.read_names.total() <= 2.2 * 100
            assert len(ledger.read_names) <= 20

    in_virtual_time(scenario)


def test_only_circuits_in_use_are_reported_on_and_read() -> None:
    async def scenario() -> None:
        ledger, used = CountingLedger(), [f"c{number}" for number in range(USED)]
        async with replica(ledger) as registry:
            ledger.commands.clear()
            ledger.read_names.clear()
            await use(registry, 60, used)
            assert ledger.commands.total() / 60 <= USED + 5
            assert ledger.commands["record"] >= 59 * USED
            assert len(ledger.read_names.keys() - set(used)) <= 20
            assert all(3 <= ledger.read_names[name] <= 10 for name in used)

    in_virtual_time(scenario)


@pytest.mark.parametrize("per_s", [1, 50])
def test_reports_do_not_grow_with_the_calls(per_s: int) -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger) as registry:
            for second in range(30):
                if second == 10:  # from then on it is known how many are in use
                    ledger.commands.clear()
                for _ in range(per_s):
                    for number in range(50):
                        await registry.breaker(f"c{number}").call(answer)
                    await asyncio.sleep(1 / per_s)
            assert ledger.commands["record"] / 20 <= 50 * 1.1

    in_virtual_time(scenario)


def test_a_heartbeat_names_the_circuits_in_use_and_in_time_all_others() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger) as registry:
            ledger.beats.clear()
            await use(registry, 12, ["c300", "c301"])
            assert all({"c300", "c301"} <= set(names) for _, names in ledger.beats[1:])
            assert max(len(names) for _, names in ledger.beats) <= 130
            assert {name for _, names in ledger.beats for name in names} == {f"c{n}" for n in range(MANY)}
            policies = json.loads(ledger.beats[-1][0])["policies"]
            assert {"c300", "c301"} <= policies.keys()
            assert len(policies) <= 30

    in_virtual_time(scenario)


# ---- what is noticed -------------------------------------------------------------------------------------------------


async def _forced(ledger: MemoryLedger, name: str) -> None:
    await ledger.override(name, terms(), OverrideMode.OPEN, "test", "me", None)


@pytest.mark.parametrize("deaf", [False, True], ids=["pushed", "only polled"])
def test_a_change_of_an_idle_circuit_is_known_within_a_poll(deaf: bool) -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger) as registry:
            ledger.deaf = deaf
            await _forced(ledger, "c399")
            await asyncio.sleep(1.2)
            assert registry.breaker("c399").state is CircuitState.OPEN
            with pytest.raises(CircuitOpenError):
                await registry.breaker("c399").call(answer)

    in_virtual_time(scenario)


@pytest.mark.parametrize("forbidden", [False, True], ids=["beside 0.1.0", "without the permission"])
def test_without_a_complete_log_every_circuit_in_use_is_read_by_every_poll(forbidden: bool) -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        ledger.complete, ledger.forbidden = False, forbidden
        async with replica(ledger) as registry:
            await use(registry, 5, ["c300"])
            ledger.read_names.clear()
            await use(registry, 30, ["c300"])
            assert ledger.read_names["c300"] >= 27
            assert ledger.read_names["c399"] == 0
            assert any("log of changes" in limit for limit in registry.limits) == forbidden
            assert registry.shared_state is Freshness.FRESH

    in_virtual_time(scenario)


def test_without_a_complete_log_an_idle_circuit_is_read_by_its_next_call() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        ledger.complete = False
        async with replica(ledger) as registry:
            ledger.deaf = True
            await _forced(ledger, "c399")
            await asyncio.sleep(5)
            await registry.breaker("c399").call(answer)
            await asyncio.sleep(0.01)
            with pytest.raises(CircuitOpenError):
                await registry.breaker("c399").call(answer)

    in_virtual_time(scenario)


def test_after_the_log_was_lost_idle_circuits_are_read_too_a_few_at_a_time_and_restored() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger) as registry:
            await _forced(ledger, "c399")
            await asyncio.sleep(2)
            ledger.forget()
            ledger.read_names.clear()
            await asyncio.sleep(3)
            assert ledger.read_names.total() <= 4 * 75
            await asyncio.sleep(12)
            assert ledger.read_names.keys() >= {f"c{number}" for number in range(MANY)}
            assert ledger.circuit("c399").override is not None
            assert registry.breaker("c399").state is CircuitState.OPEN

    in_virtual_time(scenario)


def test_cached_states_stay_fresh_although_most_polls_do_not_read_them() -> None:
    async def scenario() -> None:
        async with replica(CountingLedger()) as registry:
            for _ in range(40):
                await asyncio.sleep(1)
                assert registry.shared_state is Freshness.FRESH
                assert registry.heard_ago_s is not None
                assert registry.heard_ago_s <= 1.3
                assert registry.breaker("c399").shared_state is Freshness.FRESH

    in_virtual_time(scenario)


def test_failures_of_a_circuit_that_slept_open_it_as_soon_as_any_other() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger) as registry:
            for _ in range(5):
                with pytest.raises(OSError, match="down"):
                    await registry.breaker("c399").call(fail)
            await asyncio.sleep(0.2)
            assert ledger.circuit("c399").state is CircuitState.OPEN

    in_virtual_time(scenario)


# ---- what is remembered ----------------------------------------------------------------------------------------------


def test_a_circuit_unused_for_long_is_forgotten_and_those_in_use_are_not() -> None:
    async def scenario() -> None:
        async with replica(CountingLedger(), 0, forget_after_s=60) as registry:
            for number in range(MANY):
                registry.breaker(f"c{number}")
            await use(registry, 150, ["c0", "c399"])
            gc.collect()
            assert [report.name for report in registry.snapshot()] == ["c0", "c399"]
            assert len(registry._breakers._forgotten) == 0

    in_virtual_time(scenario)


def test_a_forgotten_circuit_whose_breaker_is_still_held_comes_back_as_the_same_object() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger, 1, forget_after_s=20) as registry:
            held = registry.breaker("c0")
            await asyncio.sleep(60)
            assert registry.snapshot() == ()
            await held.call(answer)
            assert registry.breaker("c0") is held
            await asyncio.sleep(1)
            assert ledger.commands["record"] == 1
            await asyncio.sleep(60)
            assert registry.breaker("c0") is held

    in_virtual_time(scenario)


def test_without_forget_after_s_nothing_is_forgotten() -> None:
    async def scenario() -> None:
        async with replica(CountingLedger()) as registry:
            await asyncio.sleep(500)
            assert len(registry.snapshot()) == MANY

    in_virtual_time(scenario)


def test_a_removed_circuit_is_gone_here_and_in_the_ledger_until_it_is_called_again() -> None:
    async def scenario() -> None:
        ledger = CountingLedger()
        async with replica(ledger, 2) as registry:
            held = registry.breaker("c0")
            await use(registry, 1, ["c0"])
            await registry.remove("c0")
            assert [report.name for report in registry.snapshot()] == ["c1"]
            assert [report.name for report in await registry.circuits()] == ["c1"]
            await held.call(answer)
            assert {report.name for report in registry.snapshot()} == {"c0", "c1"}

    in_virtual_time(scenario)


def test_a_circuit_of_this_process_alone_sleeps_is_forgotten_and_is_removed_too() -> None:
    async def scenario() -> None:
        registry = CircuitRegistry(clock=LoopClock(), forget_after_s=60)
        async with registry:
            for number in range(MANY):
                registry.breaker(f"c{number}")
            await use(registry, 15, ["c0", "c1"])
            assert len(registry._views.awake()) <= 22
            await registry.remove("c1")
            await use(registry, 200, ["c0"])
            assert [report.name for report in registry.snapshot()] == ["c0"]

    in_virtual_time(scenario)


@pytest.mark.parametrize("value", [0, 9.9, -1, True, "60", float("inf"), float("nan")])
def test_a_time_that_is_no_time_to_forget_after_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"forget_after_s = .*: must be at least 10 seconds, or None"):
        CircuitRegistry.connect(forget_after_s=value)
