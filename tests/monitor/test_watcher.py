"""The watcher and what it hands to those who watch: over real registries on one ledger, and a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import ManualClock, SystemClock
from ha_rag.errors import ServiceError
from ha_rag.events import LedgerLost
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.feed import feed, newer
from ha_rag.monitor.snapshot import Rate, TimelineEvent
from ha_rag.monitor.watcher import LOOK_S, Watcher
from tests.monitor.pictures import circuit, picture
from tests.waiting import until

POLICY = CircuitPolicy(min_samples=3, recovery_timeout_s=60.0)


@asynccontextmanager
async def fleet_of(*names: str) -> AsyncIterator[list[CircuitRegistry]]:
    """Replicas that share one ledger, each with the circuit `payments`."""
    ledger = MemoryLedger()
    registries = [CircuitRegistry(lambda: ledger, replica=name) for name in names]
    for registry in registries:
        registry.breaker("payments", POLICY)
        await registry.__aenter__()
    try:
        yield registries
    finally:
        for registry in registries:
            await registry.__aexit__(None, None, None)


async def open_(registry: CircuitRegistry) -> None:
    """Fails until the circuit is open for all."""
    breaker = registry.breaker("payments")
    while (await registry.circuits())[0].state != "open":
        admission = breaker.admit()
        if admission.permit is not None:
            admission.permit.raised(ServiceError("down", status=500))
        await asyncio.sleep(0)
    # What happened in the very millisecond of a look is told by the next one.
    now_ms = SystemClock().unix_ms()
    await until(lambda: SystemClock().unix_ms() > now_ms)


def changes(events: list[TimelineEvent]) -> list[tuple[str, str]]:
    return [(event.before, event.after) for event in events if event.kind == "circuit"]


# ---- looking --------------------------------------------------------------------------------------------------------


async def test_a_look_shows_every_circuit_and_replica() -> None:
    async with fleet_of("a", "b") as (a, _):
        shown = await Watcher(a).look()
        assert [one.name for one in shown.circuits] == ["payments"]
        assert shown.told_by == "a"
        assert shown.shared_state == "fresh"


async def test_looks_at_the_same_time_tell_of_nothing_twice() -> None:
    async with fleet_of("a") as (a,):
        watcher = Watcher(a)
        await watcher.look()
        await open_(a)
        await a.override("payments", OverrideMode.SHADOW, reason="x", by="me")
        await asyncio.gather(*(watcher.look() for _ in range(5)))
        ids = [event.id for event in watcher.timeline.newest_first()]
        assert len(ids) == len(set(ids)) == 2


async def test_a_change_is_shown_at_once_to_those_who_watch() -> None:
    async with (
        fleet_of("a", "b") as (a, b),
        Watcher(b).running() as watcher,
        aclosing(watcher.snapshots()) as snapshots,
    ):
        await asyncio.wait_for(anext(snapshots), 5)
        began_s = asyncio.get_running_loop().time()
        await open_(a)
        while (await asyncio.wait_for(anext(snapshots), 5)).circuits[0].state != "open":
            pass
        assert asyncio.get_running_loop().time() - began_s < LOOK_S, "it waited for the next look"


async def test_a_look_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        looked = watcher.look
        failed = asyncio.Event()

        async def fails() -> object:
            monkeypatch.setattr(watcher, "look", looked)
            failed.set()
            raise RuntimeError("whatever it is")

        monkeypatch.setattr(watcher, "look", fails)
        async with asyncio.timeout(5), aclosing(watcher.snapshots()) as snapshots:
            await anext(snapshots)
        assert failed.is_set()


async def test_a_picture_is_made_anew_only_when_it_is_too_old() -> None:
    async with fleet_of("a") as (a,):
        clock = ManualClock()
        watcher = Watcher(a, clock)
        first = await watcher.recent(2.0)
        clock.advance(1.9)
        assert await watcher.recent(2.0) is first
        clock.advance(0.2)
        assert await watcher.recent(2.0) is not first


async def test_what_only_this_process_sees_stands_in_its_timeline() -> None:
    async with fleet_of("a") as (a,):
        watcher = Watcher(a)
        watcher.hear(LedgerLost(at_ms=5_000, replica="a", circuit="", reason="gone"))
        (lost,) = watcher.timeline.newest_first()
        assert (lost.id, lost.kind, lost.reason) == ("", "redis_lost", "gone")


# ---- what a reader is sent ------------------------------------------------------------------------------------------


async def test_a_reader_hears_nothing_of_what_was_before_and_all_that_comes() -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        await open_(a)
        async with asyncio.timeout(5), aclosing(feed(watcher)) as news:
            first = await anext(news)
            assert changes(first.events) == []
            assert changes(list(first.snapshot.timeline)) == [("closed", "open")]
            await a.override("payments", OverrideMode.CLOSED, reason="x", by="me")
            async for one in news:
                if one.events:
                    break
            assert [event.kind for event in one.events] == ["override"]


async def test_a_reader_who_comes_back_hears_what_he_missed_once() -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        await open_(a)
        place = Place.parse((await watcher.look()).timeline[0].id)
        await a.override("payments", OverrideMode.CLOSED, reason="x", by="me")
        await a.end_override("payments", by="me")
        heard: list[str] = []
        async with asyncio.timeout(5), aclosing(feed(watcher, place)) as news:
            while len(heard) < 2:
                heard += [event.kind for event in (await anext(news)).events]
            heard += [event.kind for event in (await anext(news)).events]
        assert heard == ["override", "override"]


def test_later_pictures_hold_only_what_is_new() -> None:
    rates = tuple(Rate(at=at, state="closed", failure_rate=0, slow_rate=0, samples=0) for at in (1.0, 2.0, 3.0))
    shown = picture(at=3.0, circuits=(circuit(history=rates),))
    assert newer(shown, 0.0) == shown
    assert [rate.at for rate in newer(shown, 2.0).circuits[0].history] == [3.0]
    assert newer(shown, 2.0).timeline == ()
