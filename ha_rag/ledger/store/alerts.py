"""What alerters share in Redis: which incidents have been told, who is telling one just now, and which events wait.

Three plain tools of Redis, one key each, so that they work on a cluster:

- a hash of incidents told and not over yet: key -> JSON;
- claims, `SET NX PX`: whoever has one tells the incident; it ends by itself if the teller dies;
- a consumer group on each circuit's event stream: an entry is given to one alerter, and to another one if the first
  did not acknowledge it in time (XAUTOCLAIM). So no opening is missed, not even with all alerters down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from redis.exceptions import ResponseError

from ha_rag.ledger.store import codec
from ha_rag.ledger.store.codec import text
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.translation import translated

GROUP = "alerters"
GONE_MS = 3600 * 1000
"""A consumer that has not looked for so long has ended."""

KEPT_MS = 7 * 24 * 3600 * 1000
"""Incidents that nobody ended are forgotten after a week without alerters."""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class AlertStore(Protocol):
    """What alerters share. Every method raises LedgerError where Redis is away. Safe across tasks."""

    async def told(self) -> dict[str, str]:
        """Incident key -> as it was recorded."""
        ...

    async def record(self, key: str, incident: str) -> None:
        """The incident has been told."""
        ...

    async def forget(self, key: str) -> None:
        """The incident is over, and that has been told."""
        ...

    async def claim(self, key: str, owner: str, ms: int) -> bool:
        """Whether `owner` may tell this incident now, for `ms`."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """The telling is done, or failed; a claim that has passed to somebody else meanwhile stays theirs."""
        ...

    async def sent(self, period: str) -> int:
        """How many messages have been sent in a period."""
        ...

    async def count_sent(self, period: str, ms: int) -> None:
        """One more, in a period that may be forgotten after `ms`."""
        ...

    async def take(self, circuits: Sequence[str], consumer: str, idle_ms: int) -> list[StreamEntry]:
        """Events that no other alerter is at work on, those first whose taker has been silent for `idle_ms`."""
        ...

    async def done(self, event: StreamEntry) -> None:
        """The event needs nobody's attention any more."""
        ...


class RedisAlertStore:
    """AlertStore in Redis. `client` stays its owner's."""

    def __init__(self, client: Any, namespace: str = "ha_rag") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._grouped: set[str] = set()
        self._lost: set[str] = set()

    async def told(self) -> dict[str, str]:
        with translated():
            kept = await self._client.hgetall(self._keys.alerts)
        return {text(key): text(value) for key, value in kept.items()}

    async def record(self, key: str, incident: str) -> None:
        with translated():
            await self._client.hset(self._keys.alerts, key, incident)
            await self._client.pexpire(self._keys.alerts, KEPT_MS)

    async def forget(self, key: str) -> None:
        with translated():
            await self._client.hdel(self._keys.alerts, key)

    async def claim(self, key: str, owner: str, ms: int) -> bool:
        with translated():
            return bool(await self._client.set(self._keys.alert_claim(key), owner, nx=True, px=ms))

    async def release(self, key: str, owner: str) -> None:
        with translated():
            await self._client.eval(_RELEASE, 1, self._keys.alert_claim(key), owner)

    async def sent(self, period: str) -> int:
        with translated():
            return int(await self._client.get(self._keys.alerts_sent(period)) or 0)

    async def count_sent(self, period: str, ms: int) -> None:
        key = self._keys.alerts_sent(period)
        with translated():
            await self._client.incrby(key)
            await self._client.pexpire(key, ms)

    async def take(self, circuits: Sequence[str], consumer: str, idle_ms: int) -> list[StreamEntry]:
        taken = await asyncio.gather(*(self._take(name, consumer, idle_ms) for name in circuits))
        return [event for events in taken for event in events]

    async def done(self, event: StreamEntry) -> None:
        with translated():
            await self._client.xack(self._stream(event.circuit), GROUP, event.id)

    async def _take(self, circuit: str, consumer: str, idle_ms: int) -> list[StreamEntry]:
        stream = self._stream(circuit)
        with translated():
            await self._joined(stream, consumer)
            try:
                left = await self._client.xautoclaim(stream, GROUP, consumer, min_idle_time=idle_ms, count=100)
                fresh = await self._client.xreadgroup(GROUP, consumer, {stream: ">"}, count=100)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._grouped.discard(stream)
                self._lost.add(stream)
                return await self._take(circuit, consumer, idle_ms)
        entries = [*left[1], *_entries(fresh)]
        return [codec.event(circuit, entry_id, entry) for entry_id, entry in entries if entry]

    async def _joined(self, stream: str, consumer: str) -> None:
        """Makes the group where there is none, and joins it. It begins with what comes now: old outages are no news.

        Where Redis has forgotten the group, it has forgotten the stream before it too: all that is there is new.
        """
        if stream in self._grouped:
            return
        try:
            await self._client.xgroup_create(stream, GROUP, id="0" if stream in self._lost else "$", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            await self._strike_off_the_gone(stream)
        await self._client.xgroup_createconsumer(stream, GROUP, consumer)
        self._grouped.add(stream)

    async def _strike_off_the_gone(self, stream: str) -> None:
        """Alerters that ended long ago and owe nothing: each start of one adds a name."""
        for consumer in await self._client.xinfo_consumers(stream, GROUP):
            told = {text(name): value for name, value in consumer.items()}
            if not told["pending"] and told["idle"] > GONE_MS:
                await self._client.xgroup_delconsumer(stream, GROUP, text(told["name"]))

    def _stream(self, circuit: str) -> str:
        return self._keys.circuit(circuit)[-1]


def _entries(reply: Any) -> list[Any]:
    """The entries of one stream; RESP2 answers a list of pairs, RESP3 a map."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [entry for group in reply.values() for entries in group for entry in entries]
    return [entry for _, entries in reply for entry in entries]
