"""What `benchmarks.large_fleet` puts into a process by the hundred: simulated replicas, and bare subscribers.

A simulated replica is a registry of its own: own connections and subscription, own heartbeats, polls and reports, at
the intervals that it would have alone in a process. It shares only the event loop and the interpreter. Hundreds in one
process cannot each look at their circuits ten times a second, as a replica does alone: `look_every` makes that rarer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol
from unittest import mock

import redis.asyncio

from ha_rag import CircuitPolicy, CircuitRegistry
from ha_rag.breaker import fleet_link, loop_lag
from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.ledger.sync.upkeep import TICK_S, Upkeep

NAMESPACE = "bench"
POLICY = CircuitPolicy()
TRIPPED = "tripped"
"""The circuit that is tripped. Nobody calls it between trips, so that few failures decide."""

CHANNEL = "bare"
"""The channel of the bare subscribers."""

LOOK_S = TICK_S
"""How often a replica looks at its circuits."""

CALLS_S = 0.01
"""How often calls that are due are made, and the lag of the event loop is noted."""


class Member(Protocol):
    """What learns of a trip. `told`: set when it has, at `told_s` (monotonic)."""

    told: asyncio.Event
    told_s: float

    def expect(self) -> bool:
        """Another trip begins. Returns whether this member is ready for it."""
        ...

    async def leave(self) -> None: ...


class Replica:
    """One simulated replica with its circuits. It is told of a trip when it first refuses a call."""

    def __init__(self, url: str, name: str, circuits: int) -> None:
        self.told, self.told_s = asyncio.Event(), 0.0
        self.registry = CircuitRegistry.connect(url, namespace=NAMESPACE, replica=name, sinks=[self._changed])
        self.called = [self.registry.breaker(f"service-{number}", POLICY) for number in range(circuits)]
        self.tripped: CircuitBreaker = self.registry.breaker(TRIPPED, POLICY)

    async def join(self) -> None:
        await self.registry.__aenter__()

    async def leave(self) -> None:
        await self.registry.__aexit__(None, None, None)

    def expect(self) -> bool:
        self.told.clear()
        return self.tripped.shared_state == "fresh" and self.tripped.state == "closed"

    def _changed(self, _: object) -> None:
        if not self.told.is_set() and not self.tripped.admit().permitted:
            self.told_s = time.monotonic()
            self.told.set()


class Subscriber:
    """One bare subscription on a connection of its own: Redis, its client and the machine, without any circuit."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.told, self.told_s = asyncio.Event(), 0.0
        self._pubsub: Any = client.pubsub()
        self._listening: asyncio.Task[None] | None = None

    async def join(self) -> None:
        await self._pubsub.subscribe(CHANNEL)
        await self._pubsub.get_message(timeout=5)
        self._listening = asyncio.create_task(self._listen())

    async def leave(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await self._pubsub.aclose()

    def expect(self) -> bool:
        self.told.clear()
        return True

    async def _listen(self) -> None:
        async for _ in self._pubsub.listen():
            self.told_s = time.monotonic()
            self.told.set()


def look_every(seconds: float) -> None:
    """All replicas of this process look at their circuits so often from now on, and at the lag of their event loop.

    Nothing is sent then, but for reports that are due: one is up to `seconds` late.
    """
    look = Upkeep.round

    async def look_later(self: Upkeep) -> None:
        await asyncio.sleep(seconds - LOOK_S)
        await look(self)

    mock.patch.object(Upkeep, "round", look_later).start()  # for as long as the process lives
    loop_lag.TICK_S = fleet_link.TIDY_S = seconds


class Traffic:
    """Calls each circuit of each replica `per_s` times a second, evenly spread. `lags_s`: of the event loop."""

    def __init__(self, replicas: list[Replica], per_s: float) -> None:
        self._breakers = [breaker for replica in replicas for breaker in replica.called]
        self._per_s = per_s * len(self._breakers)
        self.made = 0
        self.lags_s: list[float] = []

    async def run(self) -> None:
        """Runs until cancelled."""
        begin_s = time.monotonic()
        while True:
            due_s = time.monotonic() + CALLS_S
            await asyncio.sleep(CALLS_S)
            now_s = time.monotonic()
            self.lags_s.append(now_s - due_s)
            while self.made < (now_s - begin_s) * self._per_s:
                await self._breakers[self.made % len(self._breakers)].call(_answer)
                self.made += 1


async def _answer() -> int:
    """The guarded call."""
    return 1
