"""The state that alerters share in Redis: reported incidents, claims on incidents, and pending events.

Single-key commands only, so that they work on a cluster:

- a hash of open incidents that were reported: key -> JSON;
- claims, `SET NX PX`: the holder sends the incident's message; a claim expires if its holder dies;
- a consumer group on each circuit's event stream: an entry is delivered to one alerter, and to another one if the first
  did not acknowledge it in time (XAUTOCLAIM). So no opening is missed, even if all alerters are down for a while.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from redis.exceptions import ResponseError

from ha_rag.cancellation import gathered
from ha_rag.ledger.store import codec
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.ledger.store.replaceable import read_or_delete
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignValueError, text, whole

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = "alerters"
GONE_MS = 3600 * 1000
"""A consumer idle for this long is considered gone."""

KEPT_MS = 7 * 24 * 3600 * 1000
"""Open incidents expire after a week without alerters."""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class AlertStore(Protocol):
    """The state that alerters share. Every method raises LedgerError. Safe across tasks."""

    async def open_incidents(self) -> dict[str, str]:
        """Incident key -> the text given to `record`."""
        ...

    async def record(self, key: str, incident: str) -> None:
        """Stores an incident that was reported."""
        ...

    async def forget(self, key: str) -> None:
        """Removes an incident whose end was reported."""
        ...

    async def claim(self, key: str, owner: str, ms: int) -> bool:
        """Whether `owner` now holds the claim on this incident, for `ms`."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Gives up the claim, unless another owner holds it by now."""
        ...

    async def sent(self, period: str) -> int:
        """Number of messages sent in a period."""
        ...

    async def count_sent(self, period: str, ms: int) -> None:
        """Counts one message in a period; the count expires after `ms`."""
        ...

    async def take(self, circuits: Sequence[str], consumer: str, idle_ms: int) -> list[StreamEntry]:
        """Events for this consumer: first those another consumer left unacknowledged for `idle_ms`, then new ones."""
        ...

    async def acknowledge(self, event: StreamEntry) -> None:
        """Acknowledges an event: no alerter gets it again."""
        ...


class RedisAlertStore:
    """AlertStore in Redis. Does not close `client`."""

    def __init__(self, client: Any, namespace: str = "ha_rag") -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._grouped: set[str] = set()
        self._lost: set[str] = set()

    async def open_incidents(self) -> dict[str, str]:
        with translated():
            key = self._keys.alerts
            stored = await self._read(key, lambda: self._client.hgetall(key)) or {}
            return {text(name): text(value) for name, value in stored.items()}

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
        key = self._keys.alerts_sent(period)
        with translated():
            stored = await self._read(key, lambda: self._client.get(key))
            try:
                return whole("the number of messages sent", stored or 0)
            except ForeignValueError as error:  # nor could it be counted up
                await self._client.delete(key)
                self._told(key, f"{error}; its key is deleted")
                return 0

    async def _read(self, key: str, read: Callable[[], Awaitable[T]]) -> T | None:
        return await read_or_delete(self._client, key, lambda why: self._told(key, why), read)

    @staticmethod
    def _told(key: str, why: str) -> None:
        log.warning("refused %s in Redis, which no alerter can have written: %s", key, why)

    async def count_sent(self, period: str, ms: int) -> None:
        key = self._keys.alerts_sent(period)
        with translated():
            await self._client.incrby(key)
            await self._client.pexpire(key, ms)

    async def take(self, circuits: Sequence[str], consumer: str, idle_ms: int) -> list[StreamEntry]:
        taken = await gathered(*(self._take(name, consumer, idle_ms) for name in circuits))
        return [event for events in taken for event in events]

    async def acknowledge(self, event: StreamEntry) -> None:
        with translated():
            await self._client.xack(self._stream(event.circuit), GROUP, event.id)

    async def _take(self, circuit: str, consumer: str, idle_ms: int, *, retries: bool = True) -> list[StreamEntry]:
        stream = self._stream(circuit)
        with translated():
            try:
                read = await self._read(stream, lambda: self._pending(stream, consumer, idle_ms))
            except ResponseError as error:
                if not str(error).startswith("NOGROUP") or not retries:
                    raise
                self._grouped.discard(stream)
                self._lost.add(stream)
                return await self._take(circuit, consumer, idle_ms, retries=False)
            if read is None:
                self._grouped.discard(stream)
                self._lost.add(stream)
                return []
            taken, foreign = _decoded(circuit, read)
            if foreign:  # else it would be taken again for ever
                await self._client.xack(stream, GROUP, *foreign)
        return taken

    async def _pending(self, stream: str, consumer: str, idle_ms: int) -> list[Any]:
        """What another consumer left unacknowledged, and then what is new."""
        await self._join_group(stream, consumer)
        claimed = await self._client.xautoclaim(stream, GROUP, consumer, min_idle_time=idle_ms, count=100)
        fresh = await self._client.xreadgroup(GROUP, consumer, {stream: ">"}, count=100)
        return [*claimed[1], *_entries(fresh)]

    async def _join_group(self, stream: str, consumer: str) -> None:
        """Creates the consumer group if needed, and joins it. A new group skips old entries.

        After Redis lost the group it starts at the beginning: the stream was lost too, so all its entries are new.
        """
        if stream in self._grouped:
            return
        try:
            await self._client.xgroup_create(stream, GROUP, id="0" if stream in self._lost else "$", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            await self._remove_gone_consumers(stream)
        await self._client.xgroup_createconsumer(stream, GROUP, consumer)
        self._grouped.add(stream)

    async def _remove_gone_consumers(self, stream: str) -> None:
        """Removes consumers of ended alerters that have no pending entries: each start of an alerter adds a name."""
        for consumer in await self._client.xinfo_consumers(stream, GROUP):
            fields = {text(name): value for name, value in consumer.items()}
            if not fields["pending"] and fields["idle"] > GONE_MS:
                await self._client.xgroup_delconsumer(stream, GROUP, text(fields["name"]))

    def _stream(self, circuit: str) -> str:
        return self._keys.circuit(circuit)[-1]


def _decoded(circuit: str, entries: Sequence[Any]) -> tuple[list[StreamEntry], list[str]]:
    """The entries, and the ids of those that no replica can have written."""
    taken, foreign = list[StreamEntry](), list[str]()
    for entry_id, entry in entries:
        try:
            if entry:
                taken.append(codec.event(circuit, entry_id, entry))
        except ForeignValueError:
            foreign.append(text(entry_id))
    return taken, foreign


def _entries(reply: Any) -> list[Any]:
    """The entries of one stream; RESP2 returns a list of pairs, RESP3 a map."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [entry for group in reply.values() for entries in group for entry in entries]
    return [entry for _, entries in reply for entry in entries]
