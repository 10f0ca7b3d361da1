"""Who asks at once shares one read; nobody gets a read that began before he asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.monitor.watcher import Watcher

CROWD = 200


class Store:
    """What is read: a value, when the reader is let go on."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        found = self.value
        self.begun.set()
        await self.go_on.wait()
        return found


async def test_all_who_ask_at_once_share_one_read():
    store = Store()
    store.go_on.set()
    joined = SingleFlight(store.read)
    assert await asyncio.gather(*(joined() for _ in range(CROWD))) == [0] * CROWD
    assert store.reads == 1
    assert (await joined(), store.reads) == (0, 2), "one who comes afterwards has a read of his own"


async def test_who_comes_while_a_read_is_under_way_gets_the_next_one_with_what_happened_before_he_came():
    store = Store()
    joined = SingleFlight(store.read)
    early = asyncio.ensure_future(joined())
    await store.begun.wait()
    store.value = 1
    late = [asyncio.ensure_future(joined()) for _ in range(CROWD)]
    await asyncio.sleep(0)
    store.go_on.set()
    assert await early == 0
    assert await asyncio.gather(*late) == [1] * CROWD
    assert store.reads == 2


async def test_who_leaves_takes_the_read_from_nobody():
    store = Store()
    joined = SingleFlight(store.read)
    leaving, staying = asyncio.ensure_future(joined()), asyncio.ensure_future(joined())
    await store.begun.wait()
    leaving.cancel()
    store.go_on.set()
    assert await staying == 0


async def test_a_read_that_failed_is_everybodys_failure_and_not_the_next_ones():
    failing = [True]

    async def read() -> int:
        if failing:
            raise ConnectionError(failing.pop())
        return 1

    joined = SingleFlight(read)
    found = await asyncio.gather(joined(), joined(), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 2
    assert await joined() == 1


@pytest.fixture
def commands(redis_server) -> Callable[[], int]:
    """How often Redis was asked which circuits there are: once a read of them."""
    return lambda: redis_server.commands().get("zrangebyscore", 0)


@pytest.mark.real_redis
async def test_a_crowd_that_reads_a_replica_s_circuits_costs_redis_one_read(redis_server, commands):
    async with CircuitRegistry.connect(redis_server.url, replica="a") as circuits:
        circuits.breaker("payments")
        before = commands()
        found = await asyncio.gather(*(circuits.circuits() for _ in range(CROWD)))
        assert commands() - before <= 2, "its own heartbeat may ask, too"
    assert {tuple(report.name for report in reports) for reports in found} == {("payments",)}


@pytest.mark.real_redis
async def test_a_crowd_that_reads_a_dashboard_s_circuits_costs_redis_one_read(redis_server, commands):
    async with (
        CircuitRegistry.connect(redis_server.url, replica="a") as circuits,
        FleetObserver.connect(redis_server.url) as observer,
    ):
        circuits.breaker("payments")
        assert circuits._sync is not None
        await circuits._sync._heartbeat.beat()
        before = commands()
        found = await asyncio.gather(*(observer.circuits() for _ in range(CROWD)))
        assert commands() - before <= 2, "the replica's heartbeat may ask, too"
    assert {tuple(report.name for report in reports) for reports in found} == {("payments",)}


@pytest.mark.real_redis
async def test_a_crowd_that_asks_for_the_picture_of_the_fleet_has_it_made_once(redis_server):
    async with CircuitRegistry.connect(redis_server.url, replica="a") as circuits:
        watcher = Watcher(circuits)
        found = await asyncio.gather(*(watcher.recent(60.0) for _ in range(CROWD)))
    assert (watcher._number, len({id(snapshot) for snapshot in found})) == (1, 1)
