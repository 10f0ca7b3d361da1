"""The health of the store, and its warnings."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoPermissionError

from ha_rag.clock import ManualClock
from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store.health import store_health
from ha_rag.ledger.store.ledger import StoreHealth
from tests.ledger.bench import RedisBench

WELL = {
    "redis_version": "7.0.15", "role": "master", "used_memory": 900, "maxmemory": 1000, "connected_clients": 4,
    "instantaneous_ops_per_sec": 12, "maxmemory_policy": "noeviction", "rdb_last_bgsave_status": "ok",
}  # fmt: skip


class Store:
    """A client whose INFO returns `info`, or raises it. `takes_s`: how long TIME takes by `clock`."""

    def __init__(self, info: Any, clock: ManualClock | None = None, takes_s: float = 0.0) -> None:
        self._info = info
        self._clock, self._takes_s = clock or ManualClock(), takes_s

    async def time(self) -> tuple[int, int]:
        self._clock.advance(self._takes_s)
        return 1_790_000_000, 0

    async def info(self) -> Any:
        if isinstance(self._info, Exception):
            raise self._info
        return self._info


async def look(**changed: Any) -> StoreHealth:
    return await store_health(Store({**WELL, **changed}))


async def test_a_healthy_store_reports_its_figures_without_warnings() -> None:
    found = await look()
    assert found.round_trip_ms >= 0
    assert (found.version, found.role, found.used_bytes, found.limit_bytes) == ("7.0.15", "master", 900, 1000)
    assert (found.clients, found.commands_per_s, found.warnings) == (4, 12, ())


async def test_the_round_trip_is_given_in_milliseconds_with_three_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    monkeypatch.setattr("ha_rag.ledger.store.health.SystemClock", lambda: clock)
    assert (await store_health(Store(WELL, clock, takes_s=0.0123456))).round_trip_ms == 12.346


async def test_a_valkey_reports_its_own_version() -> None:
    assert (await look(valkey_version="8.1.8")).version == "8.1.8"


async def test_a_memory_limit_of_zero_means_no_limit() -> None:
    assert (await look(maxmemory=0)).limit_bytes is None


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"maxmemory_policy": "allkeys-lru"},
         "Redis may evict circuits: maxmemory-policy is allkeys-lru; set it to noeviction"),
        ({"used_memory": 960}, "Redis uses 96% of its memory and will soon refuse writes; raise maxmemory"),
        ({"role": "slave"},
         "this Redis is a read-only replica; point redis_url at its master or at the sentinels"),
        ({"rdb_last_bgsave_status": "err"},
         "Redis could not save its last snapshot to disk, and may refuse writes (MISCONF)"),
    ],
)  # fmt: skip
async def test_a_coming_problem_is_reported_with_its_fix(changed: dict[str, Any], warning: str) -> None:
    assert (await look(**changed)).warnings == (warning,)


async def test_without_permission_for_info_only_the_round_trip_is_reported() -> None:
    found = await store_health(Store(NoPermissionError("no INFO")))
    assert found == StoreHealth(round_trip_ms=found.round_trip_ms)


async def test_missing_fields_in_info_are_not_an_error() -> None:
    found = await store_health(Store({"used_memory": "many", "connected_clients": True}))
    assert found == StoreHealth(round_trip_ms=found.round_trip_ms, warnings=())


async def test_the_first_node_represents_a_cluster() -> None:
    found = await store_health(Store({"a:1": WELL, "b:2": {**WELL, "role": "slave"}}))
    assert (found.version, found.role) == ("7.0.15", "master")


async def test_a_store_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(LedgerUnavailableError):
        await store_health(Store(NoConnection("nobody listens")))


async def test_the_health_of_every_kind_of_store_can_be_read(redis_bench: RedisBench) -> None:
    assert (await store_health(redis_bench.client)).round_trip_ms > 0
