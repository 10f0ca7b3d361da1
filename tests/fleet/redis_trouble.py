"""What can be wrong with the Redis of whole replicas: each fault, and what takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import redis

from tests.fleet.processes import Fleet

Act = Callable[[Fleet], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`state`: what an answer's `shared_state` must say of it, once it has been noticed."""

    name: str
    strike: Act
    recover: Act
    state: str = "local"


async def freeze(fleet: Fleet) -> None:
    fleet.redis.pause()


async def thaw(fleet: Fleet) -> None:
    fleet.redis.resume()


async def kill(fleet: Fleet) -> None:
    fleet.redis.kill()


async def start(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.redis.start)


async def refuse(fleet: Fleet) -> None:
    await fleet.to_redis.set(refusing=True)


async def let_in(fleet: Fleet) -> None:
    await fleet.to_redis.set(refusing=False)


async def slow_down(fleet: Fleet) -> None:
    await fleet.to_redis.set(delay_s=0.1)


async def speed_up(fleet: Fleet) -> None:
    await fleet.to_redis.set(delay_s=0.0)


async def fill_up(fleet: Fleet) -> None:
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.config_set("maxmemory", 1)


async def make_room(fleet: Fleet) -> None:
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.config_set("maxmemory", 0)


async def demote(fleet: Fleet) -> None:
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.replicaof("127.0.0.1", str(fleet.provider.port))  # no Redis, so it copies nothing


async def promote(fleet: Fleet) -> None:
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.replicaof("NO", "ONE")


async def mend(fleet: Fleet) -> None:
    """As if nothing had happened to it, whatever a test that failed has left undone."""
    if not fleet.redis.runs:
        await start(fleet)
    fleet.redis.resume()
    await make_room(fleet)
    await promote(fleet)


async def flush(fleet: Fleet) -> None:
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.flushall()


async def restart_empty(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.redis.restart_empty)


AWAY: Sequence[Trouble] = (
    Trouble("frozen", freeze, thaw),
    Trouble("killed", kill, start),
    Trouble("refusing", refuse, let_in),
    Trouble("out of memory", fill_up, make_room),
    Trouble("read-only", demote, promote),
)
"""The replicas share nothing meanwhile."""

SLOW = Trouble("100 ms slow", slow_down, speed_up, state="fresh")
"""They share as ever, a little later."""
