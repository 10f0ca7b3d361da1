"""A Celery worker that uses only the circuit: a task waits while the circuit is open, and then runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from celery.result import AsyncResult

from ha_rag import CircuitPolicy, CircuitRegistry
from tests.examples.shop import Payments, running
from tests.redis_servers import RedisProcess
from tests.waiting import until

POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)


@pytest.fixture
def payments() -> Iterator[Payments]:
    service = Payments()
    yield service
    service.close()


@pytest.fixture
def shop(redis_server: RedisProcess) -> Iterator[Celery]:
    app = Celery("shop", broker=redis_server.url, backend=redis_server.url)
    yield app
    app.close()


async def first_outcome(task: AsyncResult) -> str:
    await until(lambda: task.state in ("RETRY", "SUCCESS"))
    return str(task.state)


@pytest.mark.real_redis
async def test_a_task_waits_while_the_circuit_is_open_and_sends_nothing_meanwhile(
    payments: Payments, shop: Celery, redis_server: RedisProcess
) -> None:
    worker = ("celery", "--app", "examples.celery_app", "worker", "--concurrency", "1", "--loglevel", "warning")

    def send(order: int) -> AsyncResult:
        return shop.send_task("charge", [order])

    with running(*worker, redis=redis_server.url, payments=payments.url):
        first = send(1)
        await until(first.ready)
        assert first.result == "paid"

        async with CircuitRegistry.connect(redis_server.url, namespace="shop", replica="operator") as circuits:
            circuits.breaker("payments", POLICY, timeout_s=2.0)
            waits = False
            while not waits:  # on a busy machine a task may begin when the maintenance is over
                await circuits.override("payments", "open", by="test", reason="maintenance", for_s=2.0)
                received = payments.calls
                waiting = send(2)
                waits = await first_outcome(waiting) == "RETRY"
            await until(waiting.ready)
        assert (waiting.result, payments.calls) == ("paid", received + 1)

        payments.status = 422
        refused = [send(order) for order in range(10, 20)]
        await until(lambda: all(each.ready() for each in refused))
        assert {str(each.result).rpartition(": ")[2] for each in refused} == {"HTTP 422"}
        assert payments.calls == received + 11, "the circuit let every order pass"
