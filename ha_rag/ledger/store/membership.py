"""The lists of live replicas and used circuits in Redis. Plain single-key commands, so that they work on a cluster."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import ResponseError

from ha_rag.cancellation import gathered
from ha_rag.circuit.bounds import MAX_AHEAD_MS
from ha_rag.ledger.store.circuit_names import escaped, unescaped
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import Heartbeat
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.ledger.store.replaceable import is_of_another_type, read_or_delete
from ha_rag.ledger.store.reply_limits import ReplyTooLargeError
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
    entries = {key: {incarnation: now} for key in lists}
    if circuits:
        entries[keys.circuits] = dict.fromkeys(map(escaped, circuits), now)
    told = _Beat(keys.replica(incarnation), body, entries, lists, now, life_ms)
    counts = await _in_steps(client, told) if isinstance(client, RedisCluster) else await _at_once(client, told)
    alive, *loggers = (whole("the number of replicas", count) for count in counts)
    return min(alive, MAX_REPLICAS), min(loggers[0], MAX_REPLICAS) if loggers else 0


@dataclass(frozen=True, slots=True)
class _Beat:
    """One heartbeat. `entries`: list -> what is entered there. `lists`: those that are pruned and counted."""

    key: str
    body: str
    entries: dict[str, dict[str, int]]
    lists: Sequence[str]
    now: int
    life_ms: int

    def prunes(self, client: Any) -> list[Any]:
        return [
            *(client.zremrangebyscore(key, "-inf", self.now - LIVES_KEPT * self.life_ms) for key in self.lists),
            # Nothing else would ever remove a foreign entry from the future, and each one slows the fleet down.
            *(client.zremrangebyscore(key, f"({self.now + MAX_AHEAD_MS}", "+inf") for key in self.lists),
        ]

    def counts(self, client: Any) -> list[Any]:
        return [client.zcount(key, self.now - self.life_ms, self.now + MAX_AHEAD_MS) for key in self.lists]


async def _at_once(client: Any, beat: _Beat) -> list[Any]:
    """Sends it in one round trip, on one connection: a large fleet has few to spare. Returns the counts."""
    several = client.pipeline(transaction=False)
    several.set(beat.key, beat.body, px=beat.life_ms)
    for key, entries in beat.entries.items():
        several.zadd(key, entries)
    beat.prunes(several)
    beat.counts(several)
    answers = await several.execute(raise_on_error=False)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    if any(isinstance(error, ResponseError) and is_of_another_type(error) for error in errors):
        return await _in_steps(client, beat)
    if errors:
        raise errors[0]
    return list(answers[-len(beat.lists) :])


async def _in_steps(client: Any, beat: _Beat) -> list[Any]:
    """Sends it to the nodes of a cluster, or to a Redis where lists may have to be replaced. Returns the counts."""
    await gathered(
        client.set(beat.key, beat.body, px=beat.life_ms),
        *(_entered(client, key, entries) for key, entries in beat.entries.items()),
    )
    await gathered(*beat.prunes(client))
    return await gathered(*beat.counts(client))


async def _entered(client: Any, key: str, entries: dict[str, int]) -> None:
    """Adds entries to a list. A key of another type is foreign, and is replaced."""
    try:
        await client.zadd(key, entries)
    except ResponseError as error:
        if not is_of_another_type(error):
            raise
        await client.delete(key)
        await client.zadd(key, entries)


async def leave(client: Any, keys: Keys, incarnation: str) -> None:
    """Removes `incarnation` from the list."""
    await gathered(
        client.delete(keys.replica(incarnation)),
        client.zrem(keys.replicas, incarnation),
        client.zrem(keys.loggers, incarnation),
    )


async def replicas(client: Any, keys: Keys, refused: RefusedValues) -> list[Heartbeat]:
    """The last heartbeat of every live incarnation. Skips what no replica can have written."""
    read = partial(client.zrange, keys.replicas, -MAX_REPLICAS, -1, withscores=True)
    newest, now = await gathered(_listed(client, keys.replicas, refused, read), now_ms(client))
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
        for beat in await _beats(client, keys, names[first : first + READ_AT_ONCE], refused):
            if len(beat.body) <= min(MAX_BODY, left):
                accepted.append(beat)
                left -= len(beat.body)
            else:
                refused.note("heartbeat", f"more than {MAX_BODY:,} characters, or {MAX_BODIES:,} in all of them")
    return accepted


async def _beats(client: Any, keys: Keys, names: Sequence[tuple[str, int]], refused: RefusedValues) -> list[Heartbeat]:
    """The heartbeats of these incarnations, each with its time. Where they are too large together, one by one."""
    wanted = [keys.replica(name) for name, _ in names]
    try:
        bodies = items_of(await _get_all(client, wanted), len(names))
    except ReplyTooLargeError:
        told = partial(refused.note, "heartbeat")
        bodies = [await read_or_delete(client, key, told, partial(_get_one, client, key)) for key in wanted]
    found = zip(names, bodies, strict=True)
    return [Heartbeat(name, at, text(body)) for (name, at), body in found if body is not None]


async def _get_one(client: Any, key: str) -> Any:
    return items_of(await _get_all(client, [key]), 1)[0]


async def _listed(client: Any, key: str, refused: RefusedValues, read: Callable[[], Awaitable[Any]]) -> Any:
    """What `read` finds in a list; nothing if it cannot be read at all: each replica enters itself again."""
    return await read_or_delete(client, key, partial(refused.note, "list"), read) or ()


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
    stored = await _listed(client, keys.circuits, refused, partial(_newest_circuits, client, keys, since, until))
    newest = [text(name) for name, at in stored if since < at <= until]
    names = [unescaped(name) async for name in in_turns(newest[-MAX_CIRCUITS:])]
    for _ in range(names.count(None)):
        refused.note("list", "a name that no circuit can have")
    if len(newest) > MAX_CIRCUITS:
        refused.note("list", f"more than {MAX_CIRCUITS:,} circuits")
    return sorted(name for name in names if name is not None)


async def _newest_circuits(client: Any, keys: Keys, since: int, until: int) -> Any:
    _, _, stored = await gathered(
        client.zremrangebyscore(keys.circuits, "-inf", since),
        client.zremrangebyscore(keys.circuits, f"({until}", "+inf"),
        client.zrange(keys.circuits, -MAX_CIRCUITS - 1, -1, withscores=True),
    )
    return stored


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
