"""One alert an incident for the whole fleet, whatever number of alerters run and whichever dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.exceptions import ResponseError

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.fleet.processes import HA_RAG, Process
from tests.ports import free_port
from tests.redis_servers import RedisProcess
from tests.waiting import until

pytestmark = pytest.mark.fleet

POLICY = CircuitPolicy(min_samples=2, recovery_timeout_s=1.0, recovery_timeout_max_s=1.0)
ALERTS = '[alerts]\ngroup_s = 0.2\nredis_after_s = 1\nalert_after_s = 3600\nlink = "http://dash.example/"\n'


class Pager:
    """Who is told: a webhook that keeps what it is sent. `holds`: it takes messages, and answers none of them."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.taken = 0
        self.holds = False
        self.refuses = False

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.heard]

    async def take(self, request: web.Request) -> web.Response:
        message = await request.json()
        self.taken += 1
        if self.holds:
            await asyncio.Event().wait()  # this one is never answered
        if self.refuses:
            return web.Response(status=500)
        self.heard.append(message)
        return web.Response()


class Scene:
    """A Redis, one replica's circuit, a pager, and as many alerters as a test wants."""

    def __init__(self, redis: RedisProcess, folder: Path, pager: Pager, port: int) -> None:
        self.redis, self.folder, self.pager, self.port = redis, folder, pager, port
        self.alerters: list[Process] = []
        self.config = folder / "ha_rag.toml"
        self.config.write_text(ALERTS)

    async def start(self, alerters: int, *, urls: bool = True) -> None:
        """Starts so many more, and waits until each of them looks. `urls`: whether anybody is named to them."""
        for _ in range(alerters):
            name = f"alerter-{len(self.alerters) + 1}"
            environment = {
                "HA_RAG_REDIS_URL": self.redis.url,
                "HA_RAG_ALERT_URLS": f"json://127.0.0.1:{self.port}/" if urls else "",
                "HA_RAG_REPLICA": name,
            }
            process = Process(name, [*HA_RAG, "alerter", "--config", str(self.config)], self.folder, environment)
            process.start()
            self.alerters.append(process)
        client = connect(self.redis.url)
        try:
            await self._all_look(client)
        finally:
            await client.aclose()

    async def _all_look(self, client: Any) -> None:
        """Each alerter makes itself known to the group of the circuit's stream when it looks there."""
        running = sum(alerter.runs for alerter in self.alerters)
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(ResponseError):  # before the first alerter has looked there is no group
                    if len(await client.xinfo_consumers("ha_rag:{payments}:events", "alerters")) >= running:
                        return
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        for alerter in self.alerters:
            alerter.stop()


@pytest.fixture
async def scene(own_redis_server: RedisProcess, tmp_path: Path) -> AsyncIterator[Scene]:
    pager, port = Pager(), free_port()
    app = web.Application()
    app.router.add_post("/", pager.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    scene = Scene(own_redis_server, tmp_path, pager, port)
    try:
        yield scene
    finally:
        scene.stop()
        await runner.cleanup()


@pytest.fixture
async def payments(scene: Scene) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """Makes the circuit open (False), or close (True)."""
    async with AsyncExitStack() as stack:
        circuits = await stack.enter_async_context(CircuitRegistry.connect(scene.redis.url, replica="a"))
        breaker = circuits.breaker("payments", POLICY, timeout_s=0.2)
        client = connect(scene.redis.url)
        stack.push_async_callback(client.aclose)
        while not await client.zscore("ha_rag:circuits", "payments"):
            await asyncio.sleep(0.05)

        async def pay(well: bool) -> None:
            async def charge() -> None:
                if not well:
                    raise ConnectionError("down")

            wanted = "closed" if well else "open"
            async with asyncio.timeout(20):
                while breaker.state != wanted:
                    await asyncio.gather(breaker.call(charge), return_exceptions=True)
                    await asyncio.sleep(0.02)

        yield pay


async def test_three_alerters_tell_an_opening_once_and_once_that_it_is_over(scene, payments):
    await scene.start(3)

    await payments(False)
    await until(lambda: scene.pager.heard)
    await payments(True)
    await until(lambda: len(scene.pager.heard) >= 2)
    # A second incident: whatever was told twice would have come before it.
    await payments(False)
    await until(lambda: len(scene.pager.heard) >= 3)

    assert scene.pager.titles == [
        "[ha_rag] PROBLEM: circuit payments opened",
        "[ha_rag] RESOLVED: circuit payments opened",
        "[ha_rag] PROBLEM: circuit payments opened",
    ]
    problem, resolved, _ = scene.pager.heard
    assert "seen by a" in problem["message"]
    assert problem["message"].endswith("Incident: open:payments\nDashboard: http://dash.example/")
    assert "it has closed" in resolved["message"]
    assert [message["type"] for message in (problem, resolved)] == ["warning", "success"]


async def test_an_opening_while_no_alerter_ran_is_told_by_the_next_one(scene, payments):
    await scene.start(1)
    scene.alerters[0].stop()

    await payments(False)
    await scene.start(1)

    await until(lambda: scene.pager.titles == ["[ha_rag] PROBLEM: circuit payments opened"])


async def test_where_nobody_is_named_the_log_is_told(scene, payments):
    await scene.start(1, urls=False)
    assert "set HA_RAG_ALERT_URLS" in scene.alerters[0].said()

    await payments(False)

    await until(lambda: "[ha_rag] PROBLEM: circuit payments opened" in scene.alerters[0].said())


async def test_a_message_that_could_not_be_sent_is_sent_again(scene, payments):
    scene.pager.refuses = True
    await scene.start(2)
    await payments(False)
    await until(lambda: scene.pager.taken >= 1)

    scene.pager.refuses = False

    await until(lambda: bool(scene.pager.heard), within_s=20)
    assert scene.pager.titles[0] == "[ha_rag] PROBLEM: circuit payments opened"


@pytest.mark.faults
async def test_an_alerter_that_dies_while_it_tells_is_stood_in_for(scene, payments):
    await scene.start(1)
    scene.pager.holds = True
    await payments(False)
    await until(lambda: scene.pager.taken == 1)

    scene.alerters[0].signal(signal.SIGKILL)
    scene.pager.holds = False
    await scene.start(2)

    # Its claim, and its hold on the event, end by themselves within half a minute.
    await until(lambda: bool(scene.pager.heard), within_s=60)
    problems = [title for title in scene.pager.titles if "PROBLEM" in title]
    assert problems == ["[ha_rag] PROBLEM: circuit payments opened"]


async def test_a_replica_that_falls_silent_is_told_once_by_three_alerters_that_all_see_it(scene, payments):
    await scene.start(3)
    ledger = RedisLedger(connect(scene.redis.url))
    try:
        await ledger.beat("b~1", "{}", [], 4000)  # its first heartbeat, and its last
        await until(lambda: bool(scene.pager.heard), within_s=20)
        await ledger.beat("b~2", "{}", [], 60_000)
        await until(lambda: len(scene.pager.heard) >= 2)
    finally:
        await ledger.aclose()

    assert scene.pager.titles == ["[ha_rag] PROBLEM: replica b is lost", "[ha_rag] RESOLVED: replica b is lost"]


async def test_the_loss_of_redis_is_told_by_each_under_one_key(scene, payments):
    await scene.start(2)

    scene.redis.kill()
    await until(lambda: len(scene.pager.heard) == 2, within_s=20)

    assert scene.pager.titles == ["[ha_rag] PROBLEM: Redis is unreachable"] * 2
    assert all("Incident: redis_lost" in message["message"] for message in scene.pager.heard)
    scene.redis.start()
    await until(lambda: len(scene.pager.heard) == 4, within_s=20)
    assert scene.pager.titles[2:] == ["[ha_rag] RESOLVED: Redis is unreachable"] * 2
