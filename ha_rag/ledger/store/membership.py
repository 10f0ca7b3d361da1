"""The lists of live replicas and used circuits in Redis. Plain single-key commands, so that they work on a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from redis.asyncio import RedisCluster

from ha_rag.cancellation import gathered
from ha_rag.circuit.bounds import MAX_AHEAD_MS
from ha_rag.ledger.store.circuit_names import escaped, unescaped
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import Heartbeat
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.ledger.store.validation import items_of, text, whole
from ha_rag.turns import in_turns

LIVES_KEPT = 10
"""A replica is removed after this many heartbeat lifetimes: one is too few, others may send heartbeats less often."""

CIRCUIT_KEPT_MS = 24 * 3600 * 1000
"""A circuit unused for this long is no longer listed. Its own keys stay."""

MAX_REPLICAS = 10_000
"""Replicas listed and counted, at most: the number sets how often each of them reports and polls."""

MAX_CIRCUITS = 10_000
"""Circuits listed, at most: those used last."""

MAX_BODY, MAX_BODIES = 2_000_000, 32_000_000
"""Characters of a heartbeat's body, and of all of them together; a replica with 10,000 circuits sends 1,200,000."""

READ_AT_ONCE = 20
"""Heartbeats per command."""

MAX_SECONDS = 10**11
"""Of Redis's clock: some three thousand years."""

_INCARNATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}\Z")


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
    await gathered(
        client.set(keys.replica(incarnation), body, px=life_ms),
        *(client.zadd(key, {incarnation: now}) for key in lists),
        *(client.zremrangebyscore(key, "-inf", now - LIVES_KEPT * life_ms) for key in lists),
        # Nothing else would ever remove a foreign entry from the future, and each one slows the fleet down.
        *(client.zremrangebyscore(key, f"({now + MAX_AHEAD_MS}", "+inf") for key in lists),
        *([client.zadd(keys.circuits, dict.fromkeys(map(escaped, circuits), now))] if circuits else []),
    )
    counts = await gathered(*(client.zcount(key, now - life_ms, now + MAX_AHEAD_MS) for key in lists))
    alive, *loggers = (whole("the number of replicas", count) for count in counts)
    return min(alive, MAX_REPLICAS), min(loggers[0], MAX_REPLICAS) if loggers else 0


async def leave(client: Any, keys: Keys, incarnation: str) -> None:
    """Removes `incarnation` from the list."""
    await gathered(
        client.delete(keys.replica(incarnation)),
        client.zrem(keys.replicas, incarnation),
        client.zrem(keys.loggers, incarnation),
    )


async def replicas(client: Any, keys: Keys, refused: RefusedValues) -> list[Heartbeat]:
    """The last heartbeat of every live incarnation. Skips what no replica can have written."""
    newest, now = await gathered(client.zrange(keys.replicas, -MAX_REPLICAS, -1, withscores=True), now_ms(client))
    listed = [(text(name), at) for name, at in newest]
    names = [
        (name, int(at))
        async for name, at in in_turns(listed)
        if _INCARNATION.match(name) and 0 <= at <= now + MAX_AHEAD_MS
    ]
    for _ in range(len(listed) - len(names)):
        refused.note("list", "an entry that is none of a replica")
    accepted: list[Heartbeat] = []
    left = MAX_BODIES
    for first in range(0, len(names), READ_AT_ONCE):
        for beat in await _beats(client, keys, names[first : first + READ_AT_ONCE]):
            if len(beat.body) <= min(MAX_BODY, left):
                accepted.append(beat)
                left -= len(beat.body)
            else:
                refused.note("heartbeat", f"more than {MAX_BODY:,} characters, or {MAX_BODIES:,} in all of them")
    return accepted


async def _beats(client: Any, keys: Keys, names: Sequence[tuple[str, int]]) -> list[Heartbeat]:
    """The heartbeats of these incarnations, each with its time."""
    bodies = items_of(await _get_all(client, [keys.replica(name) for name, _ in names]), len(names))
    found = zip(names, bodies, strict=True)
    return [Heartbeat(name, at, text(body)) for (name, at), body in found if body is not None]


async def fallen_silent(client: Any, keys: Keys, since_ms: int) -> dict[str, int]:
    """Incarnations that did not leave and sent no heartbeat since `since_ms` -> when the last one was sent."""
    found = await client.zrange(
        keys.replicas, 0, f"({since_ms}", byscore=True, offset=0, num=MAX_REPLICAS, withscores=True
    )
    named = ((text(name), int(at)) for name, at in found)
    return {name: at for name, at in named if _INCARNATION.match(name)}


async def circuits(client: Any, keys: Keys, refused: RefusedValues) -> list[str]:
    """Names of the circuits that a replica used within a day, at most `MAX_CIRCUITS`.

    Skips invalid names: other clients may write the key.
    """
    now = await now_ms(client)
    since, until = now - CIRCUIT_KEPT_MS, now + MAX_AHEAD_MS
    _, _, stored = await gathered(
        client.zremrangebyscore(keys.circuits, "-inf", since),
        client.zremrangebyscore(keys.circuits, f"({until}", "+inf"),
        client.zrange(keys.circuits, -MAX_CIRCUITS - 1, -1, withscores=True),
    )
    newest = [text(name) for name, at in stored if since < at <= until]
    names = [unescaped(name) async for name in in_turns(newest[-MAX_CIRCUITS:])]
    for _ in range(names.count(None)):
        refused.note("list", "a name that no circuit can have")
    if len(newest) > MAX_CIRCUITS:
        refused.note("list", f"more than {MAX_CIRCUITS:,} circuits")
    return sorted(name for name in names if name is not None)


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
    seconds, micros = items_of(await client.time(), 2)
    return whole("the time", seconds, 0, MAX_SECONDS) * 1000 + whole("the microseconds", micros) // 1000
