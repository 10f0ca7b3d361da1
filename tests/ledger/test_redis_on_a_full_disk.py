"""A real Redis whose own disk is full: what it says is explained, and sharing goes on once there is space."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import CircuitOpenError
from ha_rag.events import Event, LedgerLost
from tests.conftest import require_redis_binary
from tests.full_disk import SmallDisk, small_disk
from tests.redis_servers import RedisProcess
from tests.waiting import until

POLICY = CircuitPolicy(min_samples=3, window_s=60)
SAVES = ("--save", "3600 1", "--stop-writes-on-bgsave-error", "yes")
APPENDS = ("--appendonly", "yes", "--appendfsync", "everysec")


class FullRedis:
    """A Redis with its files on a small disk. `way`: how it saves."""

    def __init__(self, server: RedisProcess, disk: SmallDisk, way: str) -> None:
        self.url = server.url
        self._client = redis.Redis(port=server.port)
        self._disk = disk
        self._way = way
        self._client.set("large", "x" * 200_000)

    def fill(self) -> None:
        """Its disk is full, and it has noticed."""
        self._disk.fill()
        if self._way == "saves":
            self._client.bgsave()

    def refuses(self) -> bool:
        try:
            self._client.set("k", "v" * 20_000)
        except redis.ResponseError as error:
            return "MISCONF" in str(error)
        return False

    def free(self) -> None:
        self._disk.free()
        if self._way == "saves":
            self._client.bgsave()


@pytest.fixture(params=["saves", "appends"])
async def full_redis(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FullRedis]:
    binary = require_redis_binary()
    way = str(request.param)
    with small_disk(tmp_path / "disk", 4096) as disk:
        options = SAVES if way == "saves" else APPENDS
        server = RedisProcess(disk.path, binary=binary, options=("--dir", str(disk.path), *options))
        server.start()
        try:
            yield FullRedis(server, disk, way)
        finally:
            server.kill()


async def failing(breaker: CircuitBreaker) -> None:
    """Calls of a service that is down."""

    async def call() -> None:
        raise ConnectionError("down")

    for _ in range(5):
        with pytest.raises((ConnectionError, CircuitOpenError)):
            await breaker.call(call)


async def test_the_reason_names_the_setting_and_the_circuit_is_shared_again_with_space(full_redis: FullRedis):
    events: list[Event] = []
    async with (
        CircuitRegistry.connect(full_redis.url, namespace="t", replica="a", sinks=[events.append]) as circuits,
        CircuitRegistry.connect(full_redis.url, namespace="t", replica="b") as others,
    ):
        breaker, other = circuits.breaker("svc", POLICY), others.breaker("svc", POLICY)
        await until(lambda: breaker.shared_state == other.shared_state == "fresh")
        full_redis.fill()
        await until(full_redis.refuses)

        await failing(breaker)
        await until(lambda: any(isinstance(event, LedgerLost) for event in events))
        await failing(breaker)
        assert breaker.state == "open", "it decides by itself"
        (reason,) = {event.reason for event in events if isinstance(event, LedgerLost)}
        assert reason.startswith("MISCONF ")
        assert "CONFIG SET save ''" in reason
        assert "CONFIG GET dir" in reason
        (verdict, text, mend), *_ = await try_redis(full_redis.url, "t")
        assert (verdict, "cannot save to disk" in text, "CONFIG SET save ''" in mend) == ("problem", True, True)

        full_redis.free()
        await until(lambda: breaker.shared_state == "fresh" and other.state == "open")
