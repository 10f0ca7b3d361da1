"""SingleFlight: concurrent callers share one read, and none gets a read that started before it called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ha_rag.breaker import single_flight
from ha_rag.breaker.single_flight import SingleFlight
from ha_rag.errors import LedgerUnavailableError
from ha_rag.monitor.watcher import Watcher
from tests.patient import patient_observer, patient_registry

CROWD = 200


class Store:
    """A value whose reads wait until the test sets `go_on`."""

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


async def test_concurrent_callers_share_one_read():
    store = Store()
    store.go_on.set()
    shared = SingleFlight(store.read)
    assert await asyncio.gather(*(shared() for _ in range(CROWD))) == [0] * CROWD
    assert store.reads == 1
    assert (await shared(), store.reads) == (0, 2), "a later caller starts another read"


async def test_a_caller_during_a_read_gets_the_next_read_with_its_own_earlier_writes():
    store = Store()
    shared = SingleFlight(store.read)
    early = asyncio.ensure_future(shared())
    await store.begun.wait()
    store.value = 1
    late = [asyncio.ensure_future(shared()) for _ in range(CROWD)]
    await asyncio.sleep(0)
    store.go_on.set()
    assert await early == 0
    assert await asyncio.gather(*late) == [1] * CROWD
    assert store.reads == 2


async def test_cancelling_one_caller_does_not_cancel_the_read_of_the_others():
    store = Store()
    shared = SingleFlight(store.read)
    leaving, staying = asyncio.ensure_future(shared()), asyncio.ensure_future(shared())
    await store.begun.wait()
    leaving.cancel()
    store.go_on.set()
    assert await staying == 0


async def test_a_failed_read_fails_all_its_callers_but_not_the_next_read():
    failing = [True]

    async def read() -> int:
        if failing:
            raise ConnectionError(failing.pop())
        return 1

    shared = SingleFlight(read)
    found = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 2
    assert await shared() == 1


async def test_reads_that_are_ended_still_answer_and_no_more_begin():
    store = Store()
    shared = SingleFlight(store.read)
    early = asyncio.ensure_future(shared())
    await store.begun.wait()
    ending = asyncio.ensure_future(shared.end())
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailableError, match="no longer read"):
        await shared()
    store.go_on.set()
    assert await early == 0
    await ending
    assert store.reads == 1


async def test_a_read_that_does_not_end_in_time_is_cancelled_and_its_callers_are_told(monkeypatch):
    monkeypatch.setattr(single_flight, "LAST_READS_S", 0.05)
    shared = SingleFlight(Store().read)
    calling = [asyncio.ensure_future(shared()) for _ in range(3)]
    await asyncio.sleep(0)
    await shared.end()
    told = await asyncio.gather(*calling, return_exceptions=True)
    assert [type(error) for error in told] == [LedgerUnavailableError] * 3


async def tasks_left(reads: Awaitable[object]) -> set[asyncio.Task[object]]:
    """The tasks that are left of `reads`, whose caller goes away at once."""
    calling = asyncio.ensure_future(reads)
    await asyncio.sleep(0)
    calling.cancel()
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.real_redis
async def test_a_replica_that_leaves_ends_a_read_whose_caller_is_gone(redis_server):
    async with patient_registry(redis_server.url, "a") as circuits:
        assert await tasks_left(circuits.circuits())
        assert await tasks_left(circuits.fleet())
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.real_redis
async def test_an_observer_that_ends_ends_a_read_whose_caller_is_gone(redis_server):
    async with patient_observer(redis_server.url) as observer:
        assert await tasks_left(observer.circuits())
        assert await tasks_left(observer.fleet())
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def commands(redis_server) -> Callable[[], int]:
    """Number of commands that read heartbeats: one per read."""
    return lambda: redis_server.commands().get("mget", 0)


@pytest.mark.real_redis
async def test_many_readers_of_a_replicas_circuits_cause_one_redis_read(redis_server, commands):
    async with patient_registry(redis_server.url, "a") as circuits:
        circuits.breaker("payments")
        before = commands()
        found = await asyncio.gather(*(circuits.circuits() for _ in range(CROWD)))
        assert 0 < commands() - before <= 2, "its own heartbeat may read them too"
    assert {tuple(report.name for report in reports) for reports in found} == {("payments",)}


@pytest.mark.real_redis
async def test_many_readers_of_a_dashboards_circuits_cause_one_redis_read(redis_server, commands):
    async with (
        patient_registry(redis_server.url, "a") as circuits,
        patient_observer(redis_server.url) as observer,
    ):
        circuits.breaker("payments")
        assert circuits._sync is not None
        await circuits._sync._heartbeat.beat()
        before = commands()
        found = await asyncio.gather(*(observer.circuits() for _ in range(CROWD)))
        assert 0 < commands() - before <= 2, "the replica's heartbeat may read them too"
    assert {tuple(report.name for report in reports) for reports in found} == {("payments",)}


@pytest.mark.real_redis
async def test_many_readers_of_the_fleet_picture_build_it_once(redis_server):
    async with patient_registry(redis_server.url, "a") as circuits:
        watcher = Watcher(circuits)
        found = await asyncio.gather(*(watcher.recent(60.0) for _ in range(CROWD)))
    assert (watcher._number, len({id(snapshot) for snapshot in found})) == (1, 1)
