"""The lists of live replicas and used circuits in Redis. Plain single-key commands, so that they work on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import RedisCluster

from ha_rag.ledger.store.circuit_names import escaped, unescaped
from ha_rag.ledger.store.codec import text
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import Heartbeat

LIVES_KEPT = 10
"""A replica is removed after this many heartbeat lifetimes: one is too few, others may send heartbeats less often."""

CIRCUIT_KEPT_MS = 24 * 3600 * 1000
"""A circuit unused for this long is no longer listed. Its own keys stay."""


async def beat(
    client: Any,
    keys: Keys,
    incarnation: str,
    body: str,
    circuits: Sequence[str],
    life_ms: int,
    *,
    writes_log: bool = False,
) -> tuple[int, int]:
    """Stores a heartbeat of `incarnation`; returns the number of live incarnations, and of those that write the log."""
    now = await now_ms(client)
    lists = [keys.replicas, keys.loggers] if writes_log else [keys.replicas]
    await asyncio.gather(
        client.set(keys.replica(incarnation), body, px=life_ms),
        *(client.zadd(key, {incarnation: now}) for key in lists),
        *(client.zremrangebyscore(key, "-inf", now - LIVES_KEPT * life_ms) for key in lists),
        *([client.zadd(keys.circuits, dict.fromkeys(map(escaped, circuits), now))] if circuits else []),
    )
    alive, *loggers = await asyncio.gather(*(client.zcount(key, now - life_ms, "+inf") for key in lists))
    return int(alive), int(loggers[0]) if loggers else 0


async def leave(client: Any, keys: Keys, incarnation: str) -> None:
    """Removes `incarnation` from the list."""
    await asyncio.gather(
        client.delete(keys.replica(incarnation)),
        client.zrem(keys.replicas, incarnation),
        client.zrem(keys.loggers, incarnation),
    )


async def replicas(client: Any, keys: Keys) -> list[Heartbeat]:
    """The last heartbeat of every live incarnation."""
    names = [(text(name), int(at)) for name, at in await client.zrange(keys.replicas, 0, -1, withscores=True)]
    bodies = await _get_all(client, [keys.replica(name) for name, _ in names])
    return [Heartbeat(name, at, text(body)) for (name, at), body in zip(names, bodies, strict=True) if body is not None]


async def circuits(client: Any, keys: Keys) -> list[str]:
    """Names of the circuits that a replica used within a day. Skips invalid names: other clients may write the key."""
    since = await now_ms(client) - CIRCUIT_KEPT_MS
    _, names = await asyncio.gather(
        client.zremrangebyscore(keys.circuits, "-inf", since), client.zrangebyscore(keys.circuits, f"({since}", "+inf")
    )
    return sorted(name for name in (unescaped(text(stored)) for stored in names) if name is not None)


async def remove_circuit(client: Any, keys: Keys, circuit: str) -> None:
    """Removes a circuit from the list."""
    await client.zrem(keys.circuits, escaped(circuit))


async def _get_all(client: Any, names: list[str]) -> list[Any]:
    if not names:
        return []
    read = client.mget_nonatomic if isinstance(client, RedisCluster) else client.mget
    return list(await read(names))


async def now_ms(client: Any) -> int:
    """Redis's clock in Unix ms."""
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000
