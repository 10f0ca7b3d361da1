"""Reads a Redis's health from INFO, for display only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis.exceptions import ResponseError

from ha_rag.circuit.bounds import MAX_WHOLE
from ha_rag.clock import SystemClock
from ha_rag.ledger.store.ledger import StoreHealth
from ha_rag.ledger.store.translation import translated

NEARLY_FULL = 0.9
"""Share of maxmemory above which a warning is given: without eviction a full Redis refuses writes."""


_SHOWN = 50


async def store_health(client: Any) -> StoreHealth:
    """Reads the health of a Redis. Without permission for INFO: only the round trip. Raises LedgerError."""
    now_s = SystemClock().monotonic_s
    began_s = now_s()
    with translated():
        await client.time()
        round_trip_ms = round((now_s() - began_s) * 1000, 3)
        try:
            answer = await client.info()
        except ResponseError:
            return StoreHealth(round_trip_ms=round_trip_ms)
        # A cluster answers with one map per node; the first node represents all.
        per_node = answer and all(isinstance(value, dict) for value in answer.values())
        info = next(iter(answer.values()), {}) if per_node else answer
        return _read(info, round_trip_ms)


def _read(info: Mapping[str, Any], round_trip_ms: float) -> StoreHealth:
    return StoreHealth(
        round_trip_ms=round_trip_ms,
        version=str(info.get("valkey_version") or info.get("redis_version") or "")[:_SHOWN],
        role=str(info.get("role", ""))[:_SHOWN],
        used_bytes=_whole(info.get("used_memory")),
        limit_bytes=_whole(info.get("maxmemory")) or None,
        clients=_whole(info.get("connected_clients")),
        commands_per_s=_whole(info.get("instantaneous_ops_per_sec")),
        warnings=tuple(_warnings(info)),
    )


def _warnings(info: Mapping[str, Any]) -> Iterator[str]:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield f"Redis may evict circuits: maxmemory-policy is {policy!s:.{_SHOWN}}; set it to noeviction"
    used, limit = _whole(info.get("used_memory")), _whole(info.get("maxmemory"))
    if used and limit and used > NEARLY_FULL * limit:
        yield f"Redis uses {used / limit:.0%} of its memory and will soon refuse writes; raise maxmemory"
    if info.get("role") == "slave":
        yield "this Redis is a read-only replica; point redis_url at its master or at the sentinels"
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield "Redis could not save its last snapshot to disk, and may refuse writes (MISCONF)"


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= MAX_WHOLE else None
