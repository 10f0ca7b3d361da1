"""Ledgers in virtual time that tests can inspect: one in memory, and the real Lua in a real redis-server.

Both can be flushed (FLUSHALL), copied, and put back to that copy (a failover to a replica that lagged behind).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import redis

from ha_rag.circuit.state import Circuit, CircuitState, Counts, LastBatch, Lease, OperatorOverride, OverrideMode
from ha_rag.clock import Clock
from ha_rag.ledger.store import codec
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import Change, Ledger, StreamEntry
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import ADVANCE, FROZEN_CLOCK
from tests.waiting import PATIENCE_S


class InspectableLedger(Ledger, Protocol):
    """A ledger that tests can inspect."""

    def circuit(self, name: str) -> Circuit: ...


class ResettableLedger(InspectableLedger, Protocol):
    """A ledger whose data tests can drop."""

    has_scripts: bool

    def entries(self, name: str) -> Sequence[StreamEntry]: ...
    def forget(self) -> None: ...
    def forget_scripts(self) -> None: ...
    def copy(self) -> None: ...
    def fall_back(self) -> None: ...
    def close(self) -> None: ...


Make = Callable[[Clock], ResettableLedger]


class VirtualMemoryLedger(MemoryLedger):
    """The rules in Python."""

    has_scripts = False

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._copy: dict[str, Circuit] = {}

    def entries(self, name: str) -> Sequence[StreamEntry]:
        return list(self._events[name])

    def copy(self) -> None:
        self._copy = dict(self._circuits)

    def fall_back(self) -> None:
        self._circuits = dict(self._copy)
        self._log.clear()
        self._log_name += 1

    def forget_scripts(self) -> None: ...
    def close(self) -> None: ...


class VirtualRedisLedger(RedisLedger):
    """The rules in Lua, in a real redis-server whose clock follows the virtual loop.

    A verb takes no virtual time: its connection blocks.
    """

    has_scripts = True

    def __init__(self, clock: Clock, client: Any) -> None:
        self._namespace = f"v{uuid.uuid4().hex[:8]}"
        super().__init__(_Blocking(client), self._namespace, clock=FROZEN_CLOCK)  # type: ignore[arg-type]  # blocks
        self._now = clock.unix_ms
        self._redis = client
        self._clock_keys = (f"{self._namespace}:test:now", f"{self._namespace}:test:ends")
        self._moved_ms = self._now()
        self._redis.set(self._clock_keys[0], self._moved_ms)
        self._copy: dict[str, tuple[bytes, int]] = {}
        self._listeners: set[asyncio.Queue[Change | None]] = set()
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(Keys(self._namespace).changes)
        self._pubsub.get_message(timeout=PATIENCE_S)

    async def _run(self, verb: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        self._move_the_clock()
        answer = await super()._run(verb, keys, args)
        if verb != "read" and codec.reply(answer).published:
            self._pass_on()
        return answer

    def _move_the_clock(self) -> None:
        now_ms = self._now()
        if now_ms != self._moved_ms:
            self._redis.eval(ADVANCE, 2, *self._clock_keys, now_ms - self._moved_ms)
            self._moved_ms = now_ms

    def _pass_on(self) -> None:
        message = self._pubsub.get_message(timeout=PATIENCE_S)
        change = message and codec.change(message["data"])
        assert change, "a change was not published"
        for queue in self._listeners:
            queue.put_nowait(change)

    async def changes(self) -> AsyncIterator[Change | None]:
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield None
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def now_ms(self) -> int:
        return self._now()

    async def aclose(self) -> None:
        """The client is shared, so it stays open."""

    # ---- control and inspection -------------------------------------------------------------------------------------

    def forget(self) -> None:
        if gone := self._keys_but_the_clock():
            self._redis.delete(*gone)

    def forget_scripts(self) -> None:
        self._redis.script_flush()

    def contents(self) -> object:
        """All keys byte for byte, and whether each has a TTL; the key `:test:ends` says when."""
        self._move_the_clock()
        keys = sorted(self._keys_but_the_clock())
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.execute_command("DUMP", key, NEVER_DECODE=True)
            pipe.pttl(key)
        found = pipe.execute()
        return [(key, dumped, ttl == -1) for key, dumped, ttl in zip(keys, found[::2], found[1::2], strict=True)]

    def copy(self) -> None:
        kept = self._keys_but_the_clock()
        self._copy = {key: (self._dumped(key), max(0, self._redis.pttl(key))) for key in kept}

    def fall_back(self) -> None:
        self.forget()
        for key, (dumped, ttl) in self._copy.items():
            self._redis.restore(key, ttl, dumped)
        self._redis.eval(ADVANCE, 2, *self._clock_keys, 0)
        for queue in self._listeners:  # a failover ends the connections to the old master
            queue.put_nowait(None)

    def close(self) -> None:
        self._pubsub.close()
        self._redis.delete(self._clock_keys[0], *self._keys_but_the_clock())

    def _keys_but_the_clock(self) -> list[str]:
        return [k for k in self._redis.scan_iter(f"{self._namespace}:*", count=1000) if k != self._clock_keys[0]]

    def _dumped(self, key: str) -> bytes:
        dumped: bytes = self._redis.execute_command("DUMP", key, NEVER_DECODE=True)
        return dumped

    def entries(self, name: str) -> Sequence[StreamEntry]:
        entries = self._redis.xrange(Keys(self._namespace).circuit(name)[-1])
        return [codec.event(name, entry_id, entry) for entry_id, entry in entries]

    def circuit(self, name: str) -> Circuit:
        """The keys as a Circuit. Expired items may still be in it."""
        self._move_the_clock()
        circuit, opened, window, voters, probes, override, batches, _ = Keys(self._namespace).circuit(name)
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(circuit).hgetall(window).hgetall(batches).hgetall(override).hgetall(self._clock_keys[1])
        pipe.zrange(voters, 0, -1, withscores=True).zrange(probes, 0, -1, withscores=True).exists(opened)
        fields, buckets, counted, stored_override, ends, votes, leases, has_open_key = pipe.execute()
        return Circuit(
            state=CircuitState(fields.get("state", "closed")),
            **_facts(fields),
            open_until_ms=int(ends.get(opened, 0)) if has_open_key else 0,
            window={_pair(bucket): Counts(*map(int, packed.split(":"))) for bucket, packed in buckets.items()},
            voters={voter: int(until) for voter, until in votes},
            batches={replica: LastBatch(*_pair(packed.replace(":s:", ":"))) for replica, packed in counted.items()},
            leases={m.partition(":")[2]: Lease(int(until), int(m.partition(":")[0])) for m, until in leases},
            override=_override(fields, stored_override, ends.get(override)),
        )


_NUMBERS = (
    "epoch", "changed_at_ms", "opened_at_ms", "open_count", "probe_successes", "probe_slow", "lost_at_ms",
    "would_open_at_ms", "missed_after", "missed_before",
)  # fmt: skip


def _facts(fields: Mapping[str, str]) -> dict[str, Any]:
    texts = {field: fields.get(field, "") for field in ("reason", "opened_by", "lost_by")}
    return texts | {field: int(fields.get(field, 0)) for field in _NUMBERS}


def _pair(packed: str) -> tuple[int, int]:
    first, _, second = packed.partition(":")
    return int(first), int(second)


def _override(
    fields: Mapping[str, str], stored_override: Mapping[str, str], until: str | None
) -> OperatorOverride | None:
    if not fields.get("override_mode"):
        return None
    ends_ms = int(until) if until else None if stored_override else 0
    return OperatorOverride(
        OverrideMode(fields["override_mode"]), stored_override.get("reason", ""), fields["override_by"], ends_ms
    )


class _Blocking:
    """An async interface to a blocking client."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def __getattr__(self, command: str) -> Any:
        async def awaited(*args: Any, **options: Any) -> Any:
            return getattr(self._client, command)(*args, **options)

        return awaited

    def pipeline(self, *, transaction: bool) -> _BlockingPipeline:
        return _BlockingPipeline(self._client.pipeline(transaction=transaction))


class _BlockingPipeline:
    """An async interface to a blocking client's pipeline: commands are queued, and `execute` is awaited."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def __getattr__(self, command: str) -> Any:
        return getattr(self._pipeline, command)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        return list(self._pipeline.execute(raise_on_error=raise_on_error))
