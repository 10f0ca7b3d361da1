"""The watcher and its update feed, over real registries on one in-memory ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import FleetReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import ManualClock, SystemClock
from ha_rag.errors import ServiceError
from ha_rag.events import LedgerLost
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.timeline import Place
from ha_rag.monitor.feed import delta, feed
from ha_rag.monitor.snapshot import Rate, TimelineEvent
from ha_rag.monitor.watcher import Watcher
from tests.monitor.pictures import circuit, picture
from tests.waiting import PATIENCE_S, until

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
    """Records failures until the circuit is open for all replicas."""
    breaker = registry.breaker("payments")
    while (await registry.circuits())[0].state != "open":
        admission = breaker.admit()
        if admission.permit is not None:
            admission.permit.raised(ServiceError("down", status=500))
        await asyncio.sleep(0)
    # An event in the same millisecond as a poll is read by the next one.
    now_ms = SystemClock().unix_ms()
    await until(lambda: SystemClock().unix_ms() > now_ms)


def changes(events: list[TimelineEvent]) -> list[tuple[str, str]]:
    return [(event.before, event.after) for event in events if event.kind == "circuit"]


# ---- polling --------------------------------------------------------------------------------------------------------


async def test_a_poll_reads_every_circuit_and_replica() -> None:
    async with fleet_of("a", "b") as (a, _):
        snapshot = await Watcher(a).poll()
        assert [each.name for each in snapshot.circuits] == ["payments"]
        assert snapshot.told_by == "a"
        assert snapshot.shared_state == "fresh"


async def test_without_a_reply_about_the_replicas_it_is_not_fresh() -> None:
    """One reply may be late while all others arrive: no replicas, and nobody to tell the time."""
    async with fleet_of("a") as (a,):
        watcher, read = Watcher(a), a.fleet

        async def late() -> FleetReport:
            return FleetReport((), "local", "no reply")

        a.fleet = late  # type: ignore[method-assign]  # for this poll
        snapshot = await watcher.poll()
        assert (snapshot.shared_state, snapshot.reason, snapshot.replicas) == ("local", "no reply", ())
        a.fleet = read  # type: ignore[method-assign]  # as it was
        assert (await watcher.poll()).shared_state == "fresh"


async def test_concurrent_polls_record_no_event_twice() -> None:
    async with fleet_of("a") as (a,):
        watcher = Watcher(a)
        await watcher.poll()
        await open_(a)
        await a.override("payments", OverrideMode.SHADOW, reason="x", by="me")
        await asyncio.gather(*(watcher.poll() for _ in range(5)))
        ids = [event.id for event in watcher.timeline.newest_first()]
        assert len(ids) == len(set(ids)) == 2


async def test_a_change_reaches_readers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_S", "IDLE_POLL_S"):
        monkeypatch.setattr(f"ha_rag.monitor.watcher.{name}", 2 * PATIENCE_S)  # so that no regular poll comes first
    async with (
        fleet_of("a", "b") as (a, b),
        Watcher(b).running() as watcher,
        aclosing(watcher.snapshots()) as snapshots,
    ):
        await asyncio.wait_for(anext(snapshots), PATIENCE_S)
        await open_(a)
        while (await asyncio.wait_for(anext(snapshots), PATIENCE_S)).circuits[0].state != "open":
            pass


async def test_polling_continues_after_a_poll_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        original = watcher.poll
        failed = asyncio.Event()

        async def fails() -> object:
            monkeypatch.setattr(watcher, "poll", original)
            failed.set()
            raise RuntimeError("unexpected")

        monkeypatch.setattr(watcher, "poll", fails)
        async with asyncio.timeout(PATIENCE_S), aclosing(watcher.snapshots()) as snapshots:
            await anext(snapshots)
        assert failed.is_set()


async def test_recent_polls_again_only_if_the_snapshot_is_too_old() -> None:
    async with fleet_of("a") as (a,):
        clock = ManualClock()
        watcher = Watcher(a, clock)
        first = await watcher.recent(2.0)
        clock.advance(1.9)
        assert await watcher.recent(2.0) is first
        clock.advance(0.2)
        assert await watcher.recent(2.0) is not first


async def test_an_event_seen_by_this_process_only_is_in_its_timeline() -> None:
    async with fleet_of("a") as (a,):
        watcher = Watcher(a)
        watcher.on_event(LedgerLost(at_ms=5_000, replica="a", circuit="", reason="gone"))
        (lost,) = watcher.timeline.newest_first()
        assert (lost.id, lost.kind, lost.reason) == ("", "redis_lost", "gone")


async def test_a_redis_that_loses_its_data_for_a_moment_loses_no_replica() -> None:
    async with fleet_of("a", "b") as (a, _):
        watcher = Watcher(a)
        await watcher.poll()
        ledger = a.ledger
        assert isinstance(ledger, MemoryLedger)
        ledger.forget()
        await watcher.poll()
        async with asyncio.timeout(PATIENCE_S):
            while len((await watcher.poll()).replicas) < 2:
                pass
        assert [event.kind for event in watcher.timeline.newest_first()] == []


async def test_the_order_over_the_replicas_own_circuits_begins_and_ends_in_the_timeline() -> None:
    async with fleet_of("a", "b") as (a, b):
        for registry in (a, b):
            registry.breaker("disk", POLICY, scope="replica")
        watcher = Watcher(b)
        await watcher.poll()
        await a.override("disk", "open", reason="new disk", by="kim")
        await until(lambda: b.breaker("disk").state == "open")
        await a.end_override("disk", by="kim")
        async with asyncio.timeout(PATIENCE_S):
            while len(texts := [event.text for event in watcher.timeline.newest_first()]) < 2:
                await watcher.poll()
        assert texts == ["disk: override ended", "disk: opened by hand: new disk, by kim"]


async def test_without_redis_an_override_is_told_as_one_and_not_as_a_change_of_the_circuit() -> None:
    async with CircuitRegistry(replica="alone") as alone:
        alone.breaker("payments", POLICY)
        watcher = Watcher(alone)
        await alone.override("payments", "shadow", reason="a trial", by="kim")
        await alone.override("payments", "open", reason="new disk", by="kim")
        await alone.end_override("payments", by="kim")
        assert [event.text for event in watcher.timeline.newest_first()] == [
            "payments: override ended",
            "payments: opened by hand: new disk, by kim",
            "payments: put in shadow by hand: a trial, by kim",
        ]


# ---- the update feed ------------------------------------------------------------------------------------------------


async def test_a_new_client_receives_no_past_events_and_all_later_ones() -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        await open_(a)
        async with asyncio.timeout(PATIENCE_S), aclosing(feed(watcher)) as updates:
            first = await anext(updates)
            assert changes(first.events) == []
            assert changes(list(first.snapshot.timeline)) == [("closed", "open")]
            await a.override("payments", OverrideMode.CLOSED, reason="x", by="me")
            async for update in updates:
                if update.events:
                    break
            assert [event.kind for event in update.events] == ["override"]


async def test_a_client_that_reconnects_receives_missed_events_once() -> None:
    async with fleet_of("a") as (a,), Watcher(a).running() as watcher:
        await open_(a)
        place = Place.parse((await watcher.poll()).timeline[0].id)
        await a.override("payments", OverrideMode.CLOSED, reason="x", by="me")
        await a.end_override("payments", by="me")
        received: list[str] = []
        async with asyncio.timeout(PATIENCE_S), aclosing(feed(watcher, place)) as updates:
            while len(received) < 2:
                received += [event.kind for event in (await anext(updates)).events]
            received += [event.kind for event in (await anext(updates)).events]
        assert received == ["override", "override"]


def test_later_updates_contain_only_new_points() -> None:
    rates = tuple(Rate(at=at, state="closed", failure_rate=0, slow_rate=0, samples=0) for at in (1.0, 2.0, 3.0))
    snapshot = picture(at=3.0, circuits=(circuit(history=rates),))
    assert delta(snapshot, 0.0) == snapshot
    assert [rate.at for rate in delta(snapshot, 2.0).circuits[0].history] == [3.0]
    assert delta(snapshot, 2.0).timeline == ()
