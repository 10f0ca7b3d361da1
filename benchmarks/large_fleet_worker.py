"""One of the processes of `benchmarks.large_fleet`, which hold the simulated replicas or the bare subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from benchmarks.fleet_members import LOOK_S, TRIPPED, Member, Replica, Subscriber, Traffic, look_every
from ha_rag.assembly.replica import loop_factory
from ha_rag.breaker.permit import Permit
from ha_rag.cancellation import gathered

AT_ONCE = 5
"""Members that join or leave at a time."""

TOLD_WITHIN_S = 15.0
"""A member that has not learnt of a trip by then counts as never told."""


@dataclass(frozen=True)
class Load:
    """One process in a window. `cpu`: of one core. `fresh`: replicas whose cached state is current at its end."""

    cpu: float
    calls_per_s: float
    lag_p99_s: float
    lag_max_s: float
    fresh: int
    megabytes: float


class Worker:
    """What the measuring process may ask: each public method is a request, and what it returns is the reply."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._members: Sequence[Member] = ()
        self._replicas: list[Replica] = []
        self._traffic = Traffic([], 0)
        self._calling: asyncio.Task[None] | None = None
        self._permits: list[Permit] = []
        self._began_s = self._cpu_before_s = 0.0
        self._made_before = 0
        self._client: Any = redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=5)

    async def join(self, names: list[str], circuits: int, calls_per_s: float, look_s: float) -> None:
        """Replicas of these names join the fleet, and their traffic begins. `look_s`: see `look_every`."""
        if look_s > LOOK_S:
            look_every(look_s)
        self._members = self._replicas = [Replica(self._url, name, circuits) for name in names]
        await _in_parts([replica.join for replica in self._replicas])
        self._traffic = Traffic(self._replicas, calls_per_s)
        self._calling = asyncio.create_task(self._traffic.run())

    async def subscribe(self, number: int) -> None:
        """Opens so many bare subscriptions."""
        subscribers = [Subscriber(self._client) for _ in range(number)]
        self._members = subscribers
        await _in_parts([subscriber.join for subscriber in subscribers])

    async def leave(self) -> None:
        """Ends the traffic; all members leave."""
        if self._calling is not None:
            self._calling.cancel()
        await _in_parts([member.leave for member in self._members])
        self._members, self._replicas = (), []
        await self._client.connection_pool.disconnect()

    # ---- a window of steady traffic ---------------------------------------------------------------------------------

    async def begin(self) -> None:
        """A window begins."""
        self._traffic.lags_s.clear()
        self._began_s, self._cpu_before_s, self._made_before = time.monotonic(), _cpu_s(), self._traffic.made

    async def end(self) -> dict[str, float]:
        """The window ends: its `Load`."""
        took_s, lags_s = time.monotonic() - self._began_s, sorted(self._traffic.lags_s) or [0.0]
        return asdict(
            Load(
                cpu=(_cpu_s() - self._cpu_before_s) / took_s,
                calls_per_s=(self._traffic.made - self._made_before) / took_s,
                lag_p99_s=lags_s[len(lags_s) * 99 // 100],
                lag_max_s=lags_s[-1],
                fresh=sum(replica.registry.shared_state == "fresh" for replica in self._replicas),
                megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            )
        )

    # ---- a trip -----------------------------------------------------------------------------------------------------

    async def expect(self) -> int:
        """The next trip begins. Returns how many members are ready for it."""
        return sum([member.expect() for member in self._members])

    async def fail(self, numbers: list[int]) -> None:
        """A call of each of these replicas fails, except for the last one's, which will decide."""
        admitted = [self._replicas[number].tripped.admit().permit for number in numbers]
        self._permits = [permit for permit in admitted if permit is not None]
        for permit in self._permits[:-1]:
            permit.failed()

    async def decide(self) -> float:
        """The last one fails too. Returns when (monotonic)."""
        decided_s = time.monotonic()
        self._permits[-1].failed()
        return decided_s

    async def told(self) -> list[float]:
        """When each member was told of the trip (monotonic), without those that were not within `TOLD_WITHIN_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TOLD_WITHIN_S):
                for member in self._members:
                    await member.told.wait()
        return [member.told_s for member in self._members if member.told.is_set()]

    async def close_circuit(self) -> None:
        """An operator closes the circuit of the trip, and hands it back."""
        registry = self._replicas[0].registry
        await registry.override(TRIPPED, "closed", reason="for the next trip", by="benchmark")
        await registry.end_override(TRIPPED, by="benchmark")


async def _in_parts(steps: Sequence[Any]) -> None:
    for first in range(0, len(steps), AT_ONCE):
        await gathered(*(step() for step in steps[first : first + AT_ONCE]))


def _cpu_s() -> float:
    """Seconds of processor time that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def work(url: str, pipe: Connection) -> None:
    """The process: answers the requests of the pipe, (method, arguments), until None."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work(url, pipe))


async def _work(url: str, pipe: Connection) -> None:
    loop, worker = asyncio.get_running_loop(), Worker(url)
    while (request := await loop.run_in_executor(None, pipe.recv)) is not None:
        method, arguments = request
        pipe.send(await getattr(worker, method)(*arguments))
