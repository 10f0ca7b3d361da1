"""A registry that joins by itself, and what its first calls do when that is slow or impossible."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ha_rag import CircuitRegistry
from ha_rag.background import BackgroundLoop
from ha_rag.breaker.permit import Permit
from ha_rag.ledger.store.memory import MemoryLedger
from tests.redis_servers import RedisProcess
from tests.waiting import until


@pytest.fixture
def registry(fake_redis_server: str) -> Iterator[CircuitRegistry]:
    circuits = CircuitRegistry.connect(fake_redis_server, namespace="shop", replica="r")
    yield circuits
    circuits._membership.leave_at_exit()


async def test_the_first_call_joins_and_a_call_after_leaving_does_not(registry: CircuitRegistry) -> None:
    payments = registry.breaker("payments")
    assert registry.shared_state == "local"
    assert await payments.call(str.upper, "x") == "X"
    await until(lambda: registry.shared_state == "fresh")
    async with registry:
        await until(lambda: registry.shared_state == "fresh")
    assert await payments.call(str.upper, "x") == "X"
    assert registry.shared_state == "local"


async def test_reading_circuits_before_the_first_call_does_not_hide_that_call(registry: CircuitRegistry) -> None:
    payments = registry.breaker("payments")
    registry.snapshot()
    payments._view.tick()
    await payments.call(str)
    await until(lambda: registry.shared_state == "fresh")


def test_a_hundred_first_calls_join_once(registry: CircuitRegistry) -> None:
    payments = registry.breaker("payments")
    together = threading.Barrier(20)
    before = set(threading.enumerate())

    def work() -> None:
        together.wait()
        for _ in range(5):
            payments.call_sync(str)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    links = [thread for thread in set(threading.enumerate()) - before if thread.name == "ha-rag"]
    assert len(links) == 1
    assert len(registry.fleet_sync().replicas) == 1


async def test_admit_does_not_wait_while_the_registry_joins(own_redis_server: RedisProcess) -> None:
    own_redis_server.pause()
    circuits = CircuitRegistry.connect(own_redis_server.url, replica="r")
    admission = circuits.breaker("payments").admit()
    assert isinstance(admission, Permit)
    assert circuits._membership.use() is not None  # it is still joining
    admission.ok()
    own_redis_server.resume()
    await until(lambda: circuits.shared_state == "fresh")
    async with circuits:
        pass


def test_without_redis_the_first_call_passes_and_its_circuit_is_local(unused_port: int) -> None:
    circuits = CircuitRegistry.connect(f"redis://127.0.0.1:{unused_port}/0", replica="r")
    payments = circuits.breaker("payments")
    assert payments.call_sync(str.upper, "x") == "X"
    assert circuits.shared_state == "local"
    with circuits:
        pass


def test_a_process_that_cannot_start_a_thread_says_once_that_its_circuits_are_local(
    registry: CircuitRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(BackgroundLoop, "start", refuse)
    payments = registry.breaker("payments")
    assert [payments.call_sync(str.upper, "x") for _ in range(3)] == ["X"] * 3
    (message,) = [record.message for record in caplog.records if "local, not shared" in record.message]
    assert "can't start new thread" in message


async def test_two_tasks_that_enter_at_once_are_members_until_both_have_left() -> None:
    ledger = MemoryLedger()
    circuits = CircuitRegistry(lambda: ledger, replica="r")
    both, one_left = asyncio.Barrier(2), asyncio.Event()

    async def first() -> None:
        async with circuits:
            await both.wait()
        one_left.set()

    async def second() -> int:
        async with circuits:
            await both.wait()
            await one_left.wait()
            return len(await ledger.replicas())

    _, replicas = await asyncio.gather(first(), second())
    assert replicas == 1
    assert not await ledger.replicas()


async def test_an_async_form_without_an_event_loop_names_what_it_needs() -> None:
    call = CircuitRegistry.connect(replica="r").breaker("payments").call(str)
    with pytest.raises(RuntimeError, match="needs a running asyncio event loop"):
        await asyncio.to_thread(call.send, None)
