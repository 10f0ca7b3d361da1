"""Celery's pools: processes that are forked, threads, and greenlets of gevent and eventlet."""

from __future__ import annotations

import pytest
from celery import Celery

from ha_rag import CircuitPolicy, CircuitRegistry
from tests.in_programs.programs import replicas, server
from tests.redis_servers import RedisProcess
from tests.waiting import until


@pytest.mark.real_redis
@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "eventlet"])
async def test_a_worker_of_any_pool_shares_its_circuit_from_its_first_call_on(
    pool: str, redis_server: RedisProcess
) -> None:
    if pool in ("gevent", "eventlet"):
        pytest.importorskip("gevent")
        pytest.importorskip("eventlet")
    words = ("celery", "--app", "tests.in_programs.celery_shop", "worker", "--pool", pool, "--concurrency", "2")
    with (
        Celery("shop", broker=redis_server.url, backend=redis_server.url) as shop,
        server(*words, "--loglevel", "warning", "--without-mingle", redis=redis_server.url, port=0),
    ):
        first = shop.send_task("call", [False])
        await until(first.ready)
        assert await replicas(redis_server.url) == 1
        async with CircuitRegistry.connect(redis_server.url, namespace="shop", replica="other") as circuits:
            payments = circuits.breaker("payments", CircuitPolicy(min_samples=3, recovery_timeout_s=60.0))
            for _ in range(4):
                last = shop.send_task("call", [True])
                await until(last.ready)
            await until(lambda: payments.state == "open")
            assert 2 <= await replicas(redis_server.url) <= 3  # this test, and one or two processes
    assert await replicas(redis_server.url) == 0
