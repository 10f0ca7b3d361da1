"""Clients that leave before their answer: their place and the service's connection are free at once; nothing counts.

One replica for four questions at a time, asked directly and through the front, and a model that hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from ha_rag.circuit.latency import MIN_CALLS
from tests.fleet.crew import Yard
from tests.fleet.processes import (
    CONFIGURATION,
    QUESTION,
    START_S,
    Controls,
    Process,
    Replica,
    StandingFleet,
    until_ready,
)
from tests.ports import free_port
from tests.redis_servers import RedisProcess

PLACES = 4
TIMEOUT_S = 20.0
"""Of the model's calls: a place that is held for so long shows in every wait below."""
AT_ONCE_S = 3.0
"""Far less than the timeout, and enough for a busy machine."""
GENERATOR = "generator.primary"

CHAT = {"messages": [{"role": "user", "content": QUESTION}]}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "query": ("/v1/query", {"question": QUESTION}),
    "chat": ("/v1/chat/completions", CHAT),
    "stream": ("/v1/chat/completions", {**CHAT, "stream": True}),
}


@dataclass
class Small:
    """The replica, the front before it, and the provider behind it."""

    replica: Replica
    front_url: str
    provider: Controls
    session: aiohttp.ClientSession

    async def begin(self, url: str, asked: str, number: int = PLACES) -> list[asyncio.Task[None]]:
        """So many clients ask; their questions have reached the model."""
        before = await self.provider.calls()
        path, body = ASKED[asked]
        clients = [asyncio.create_task(self._ask(f"{url}{path}", body)) for _ in range(number)]
        async with asyncio.timeout(AT_ONCE_S):
            while await self.provider.calls() < before + number:
                await asyncio.sleep(0.01)
        return clients

    async def _ask(self, url: str, body: dict[str, Any]) -> None:
        async with self.session.post(url, json=body) as reply:
            await reply.read()

    def calls_open(self) -> int:
        """Connections of the replica to the provider, used or idle."""
        found = psutil.Process(self.replica.pid).net_connections()
        to_provider = [one for one in found if one.raddr[1:] == (self.provider.port,)]
        return sum(one.status == psutil.CONN_ESTABLISHED for one in to_provider)


async def leave(clients: list[asyncio.Task[None]]) -> None:
    for client in clients:
        client.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*clients)


@pytest.fixture
async def small(yard: Yard, standing_fleet: StandingFleet, tmp_path: Path) -> AsyncIterator[Small]:
    async with small_fleet(yard, standing_fleet, tmp_path) as running:
        yield running


@asynccontextmanager
async def small_fleet(yard: Yard, standing_fleet: StandingFleet, folder: Path) -> AsyncIterator[Small]:
    standing_fleet.copy_index(folder / "index")
    redis = RedisProcess(folder)
    redis.start()
    config = folder / "ha_rag.toml"
    text = CONFIGURATION.format(
        redis_url=redis.url, index=folder / "index", provider=yard.provider.url, circuit="recovery_timeout_s = 2"
    )
    text = text.replace("timeout_s = 0.8", f"timeout_s = {TIMEOUT_S}")
    config.write_text(f"{text}\n[server]\nmax_concurrent = {PLACES}\nrequest_timeout_s = 60\n")
    replica, port = Replica("rag-1", folder, config), free_port()
    command = [sys.executable, "-m", "ha_rag.local_fleet.front", "--port", str(port), f"rag-1={replica.url}"]
    front = Process("front", command, folder)
    replica.start()
    front.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_S)) as session:
            replica.reached_by(session)
            provider = Controls(yard.provider.url, session)
            await provider.forget()
            running = Small(replica, f"http://127.0.0.1:{port}", provider, session)
            await until_ready(replica.ready, replica)
            await until_ready(lambda: _front_answers(running), front)
            await replica.ask()  # connections are open, and the tiers have been used once
            yield running
            await provider.forget()
    except BaseException:
        print(replica.said(), front.said(), sep="\n")
        raise
    finally:
        for process in (front, replica):
            await asyncio.to_thread(process.stop)
        redis.kill()


async def _front_answers(small: Small) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with small.session.get(f"{small.front_url}/health/ready") as reply:
            return reply.status == 200
    return False


@pytest.mark.parametrize("through_front", [False, True], ids=["directly", "through the front"])
@pytest.mark.parametrize("asked", list(ASKED))
async def test_four_leavers_free_their_places_and_connections_at_once(small: Small, asked: str, through_front: bool):
    url = small.front_url if through_front else small.replica.url
    before = await small.replica.circuit(GENERATOR)
    await small.provider.fail("chat", "hang")
    clients = await small.begin(url, asked)
    assert await small.replica.status() == 503, "all places are taken"
    during = small.calls_open()

    await leave(clients)
    async with asyncio.timeout(AT_ONCE_S):
        while small.calls_open() > during - PLACES:
            await asyncio.sleep(0.01)
    await small.provider.mend()
    async with asyncio.timeout(AT_ONCE_S):
        answer = await small.replica.ask()

    assert not answer["degraded"]
    after = await small.replica.circuit(GENERATOR)
    assert (after["state"], after["epoch"], after["failure_rate"]) == ("closed", before["epoch"], 0.0)
    (generator,) = [one for one in (await small.replica.health())["components"] if one["circuit"] == GENERATOR]
    assert (generator["failures"], generator["last_error"]) == (0, None)


async def test_forty_leavers_open_no_circuit_and_everybody_else_is_answered(small: Small):
    """The usual latency is known, and the service is slower than that for a while, as people notice."""
    for _ in range(MIN_CALLS + 20):
        await small.replica.ask()
    before = await small.replica.circuit(GENERATOR)
    await small.provider.fail("chat", "slow", delay_s=0.2)
    for _ in range(14):
        leavers = await small.begin(small.replica.url, "query", number=PLACES - 1)
        staying = asyncio.create_task(small.replica.ask())
        await asyncio.sleep(0.05)
        await leave(leavers)
        assert not (await staying)["degraded"]

    after = await small.replica.circuit(GENERATOR)
    assert (after["state"], after["epoch"], after["failure_rate"]) == ("closed", before["epoch"], 0.0)
