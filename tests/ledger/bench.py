"""Test benches for every kind of ledger: a ledger with a clock that tests advance, and data that they can drop."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Protocol

from ha_rag.circuit.state import Circuit
from ha_rag.circuit.terms import Terms
from ha_rag.ledger.store.ledger import Ledger, StreamEntry
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.redis import RedisLedger

START_MS = 1_790_000_000_000
FROZEN_CLOCK = Path(__file__).with_name("frozen_clock.lua").read_text()

ADVANCE = """
local now = tonumber(redis.call('GET', KEYS[1])) + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', now))
local ends = redis.call('HGETALL', KEYS[2])
for i = 1, #ends, 2 do
  if tonumber(ends[i + 1]) <= now then
    -- A key that was written anew has no end of its own yet.
    if redis.call('PTTL', ends[i]) ~= -1 then redis.call('DEL', ends[i]) end
    redis.call('HDEL', KEYS[2], ends[i])
  end
end
"""


def terms(**changed: Any) -> Terms:
    """Opens at 3 samples with half of them failed, for 500 ms; two good probes close; a lease lasts 300 ms."""
    usual = {
        "window_ms": 1000, "bucket_ms": 100, "min_samples": 3, "failure_threshold": 0.5, "slow_threshold": 2.0,
        "quorum": 1, "open_ms": 500, "backoff": 2.0, "open_max_ms": 4000, "throttle_max_ms": 2000, "probes": 1,
        "probe_successes": 2, "lease_ms": 300,
    }  # fmt: skip
    return Terms(**{**usual, **changed})


class Bench(Protocol):
    ledger: Ledger

    @property
    def now_ms(self) -> int: ...

    async def start(self) -> None: ...
    async def advance(self, ms: int) -> None: ...
    async def forget(self) -> None: ...
    async def copy(self) -> None: ...
    async def fall_back(self) -> None: ...


class FakeClock:
    """A clock in milliseconds that only tests advance."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def unix_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.now_ms / 1000


class MemoryBench:
    """A MemoryLedger on its own clock."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self.memory = MemoryLedger(self._clock)
        self.ledger: Ledger = self.memory
        self._copy: tuple[dict[str, Circuit], dict[str, list[StreamEntry]]] = {}, {}

    @property
    def now_ms(self) -> int:
        return self._clock.now_ms

    async def start(self) -> None: ...

    async def advance(self, ms: int) -> None:
        self._clock.now_ms += ms

    async def forget(self) -> None:
        self.memory.forget()

    async def copy(self) -> None:
        """Stores a copy of the current state, like a Redis replica that lags behind."""
        self._copy = (
            dict(self.memory._circuits),
            {name: list(reported) for name, reported in self.memory._events.items()},
        )

    async def fall_back(self) -> None:
        """Goes back to the last copy, as in a failover."""
        self.memory.forget()
        self.memory._circuits.update(self._copy[0])
        for name, reported in self._copy[1].items():
            self.memory._events[name].extend(reported)


class RedisBench:
    """A RedisLedger on a frozen clock, in its own namespace. `client`: closed with the ledger."""

    def __init__(self, client: Any, now_ms: int = START_MS) -> None:
        self.client = client
        self.now_ms = now_ms
        self.namespace = f"t{uuid.uuid4().hex[:8]}"
        self.ledger: Ledger = RedisLedger(client, self.namespace, clock=FROZEN_CLOCK)
        self._copy: dict[str, tuple[bytes, int]] = {}

    async def start(self) -> None:
        await self.client.set(f"{self.namespace}:test:now", self.now_ms)

    async def advance(self, ms: int) -> None:
        self.now_ms += ms
        await self.client.eval(ADVANCE, 2, f"{self.namespace}:test:now", f"{self.namespace}:test:ends", ms)

    async def forget(self) -> None:
        """Drops everything except the clock, as FLUSHALL does."""
        gone = await self._keys()
        if gone:
            await self.client.delete(*gone)

    async def copy(self) -> None:
        """Stores a copy of the current state, like a Redis replica that lags behind."""
        self._copy = {key: (await self._dump(key), max(0, await self.client.pttl(key))) for key in await self._keys()}

    async def fall_back(self) -> None:
        """Goes back to the last copy, as in a failover; keys that expired since then are gone."""
        await self.forget()
        for key, (dumped, ttl) in self._copy.items():
            await self.client.restore(key, ttl, dumped)
        await self.advance(0)

    async def _dump(self, key: str) -> bytes:
        dumped: bytes = await self.client.execute_command("DUMP", key, NEVER_DECODE=True)
        return dumped

    async def _keys(self) -> list[str]:
        found = [key async for key in self.client.scan_iter(match=f"{self.namespace}:*", count=1000)]
        return [key for key in found if key != f"{self.namespace}:test:now"]
