"""Whole replicas, asked over HTTP: whatever dies, every question is answered; no caller can turn that against them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.fleet.crew import Yard
from tests.fleet.latency import assert_as_fast
from tests.fleet.processes import CONFIGURATION, HA_RAG, QUESTION, Controls, Fleet, Process, Replica, StandingFleet
from tests.fleet.redis_trouble import AWAY, SLOW, Trouble
from tests.ports import free_ports_in_a_row
from tests.redis_servers import RedisProcess

PATIENCE_S = 60.0
CIRCUITS = {"embeddings": "embedder.primary", "chat": "generator.primary"}
MIN_SAMPLES = 3
"""Of every circuit here (processes.py)."""

TROUBLES = [
    pytest.param(trouble, id=trouble.name, marks=() if trouble.name in ("frozen", "killed") else pytest.mark.faults)
    for trouble in (*AWAY, SLOW)
]


async def asked(fleet: Fleet, times: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Asks every replica so many questions; the answers, and how long each took in ms."""
    answers: list[dict[str, Any]] = []
    took_ms: list[float] = []
    for _ in range(times):
        for replica in fleet.replicas:
            with fleet.timed(replica, took_ms):
                answers.append(await replica.ask())
    return answers, took_ms


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_with_redis_in_trouble_every_question_is_answered_in_full_and_as_fast(fleet: Fleet, trouble: Trouble):
    await asked(fleet, 10)
    _, well_ms = await asked(fleet, 60)
    await trouble.strike(fleet)
    struck, struck_ms = await asked(fleet, 60)
    answers = list(struck)
    async with asyncio.timeout(5):
        while {answer["shared_state"] for answer in answers[-3:]} != {trouble.state}:
            answers += (await asked(fleet, 1))[0]
    told = [await replica.health() for replica in fleet.replicas]
    answers += (await asked(fleet, 20))[0]
    await trouble.recover(fleet)
    assert not any(answer["degraded"] for answer in answers)
    assert_as_fast(struck_ms, well_ms, struck)
    assert {answer["shared_state"] for answer in answers[-60:]} == {trouble.state}, "an answer says what it knows"
    assert {one["shared_state"] for one in told} == {trouble.state}
    assert {one["status"] for one in told} == {"ok" if trouble.state == "fresh" else "degraded"}
    await fleet.until_shared(within_s=5)
    answers, _ = await asked(fleet, 1)
    assert {answer["shared_state"] for answer in answers} == {"fresh"}


@pytest.mark.parametrize("stage", CIRCUITS)
async def test_a_thousand_questions_with_a_hundredth_of_a_second_each_open_no_circuit(fleet: Fleet, stage: str):
    hostile, before = fleet.replicas[0], await fleet.believed(CIRCUITS[stage])
    await fleet.provider.fail(stage, "slow", delay_s=0.3)
    for _ in range(500):  # two at a time: of more, hardly any gets as far as the service within its time
        statuses = await asyncio.gather(*(hostile.status(timeout_s=0.01) for _ in range(2)))
        assert set(statuses) <= {200, 408, 503}, statuses
    cut_short = await fleet.provider.calls(stage)
    print({"cut short by their deadline": cut_short})
    await fleet.provider.mend()
    answers, _ = await asked(fleet, 2)
    assert await fleet.believed(CIRCUITS[stage]) == before
    assert not any(answer["degraded"] for answer in answers)
    assert cut_short >= 10 * MIN_SAMPLES, "as many as would open a circuit, many times over"


@pytest.mark.parametrize("stage", CIRCUITS)
async def test_a_client_that_hangs_up_in_the_middle_of_the_probe_does_not_lose_it(fleet: Fleet, stage: str):
    await open_to_half_open(fleet, stage)
    await fleet.provider.fail(stage, "slow", delay_s=0.2)
    received = await fleet.provider.calls(stage)
    for _ in range(2):  # as many good probes as it takes
        asking = asyncio.ensure_future(ask_again_and_again(fleet.replicas[0]))
        async with asyncio.timeout(10):
            while await fleet.provider.calls(stage) == received:
                await asyncio.sleep(0.01)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        received += 1
        await asyncio.sleep(0.6)
    await fleet.until_all("closed", CIRCUITS[stage], within_s=2)
    assert await fleet.provider.calls(stage) == received


async def test_clients_that_hang_up_in_the_middle_of_streams_open_no_circuit(fleet: Fleet):
    before = await fleet.believed(CIRCUITS["chat"])
    await fleet.provider.fail("chat", "drip", delay_s=0.1)
    for _ in range(5):
        assert all(await asyncio.gather(*(fleet.replicas[0].leave_stream() for _ in range(10)))), "in the middle"
    assert await fleet.provider.calls("chat") == 50
    await fleet.provider.mend()
    assert not (await fleet.replicas[0].ask())["degraded"]
    assert await fleet.believed(CIRCUITS["chat"]) == before


async def test_a_client_that_hangs_up_in_the_middle_of_the_probes_stream_does_not_lose_it(fleet: Fleet):
    await open_to_half_open(fleet, "chat")
    await fleet.provider.fail("chat", "drip", delay_s=0.1)
    received = await fleet.provider.calls("chat")
    for probe in (1, 2):  # as many good ones as it takes
        async with asyncio.timeout(10):
            while await fleet.provider.calls("chat") < received + probe:
                await fleet.replicas[0].leave_stream()  # another tier's, as long as the grant is not here
    await fleet.until_all("closed", CIRCUITS["chat"], within_s=4)
    assert await fleet.provider.calls("chat") == received + 2, "each probe ran to its own end, and was a success"


@asynccontextmanager
async def two_behind_a_front(yard: Yard, standing_fleet: StandingFleet, folder: Path) -> AsyncIterator[tuple[Any, str]]:
    """`ha-rag up` with two replicas and a Redis of its own: its process, and where it is asked."""
    standing_fleet.copy_index(folder / "index")
    async with aiohttp.ClientSession() as session:
        await Controls(yard.provider.url, session).forget()  # whatever an earlier test left wrong with it
    redis = RedisProcess(folder)
    redis.start()
    config = folder / "ha_rag.toml"
    config.write_text(
        CONFIGURATION.format(
            redis_url=redis.url, index=folder / "index", provider=yard.provider.url, circuit="recovery_timeout_s = 2"
        )
    )
    port = free_ports_in_a_row(3)
    up = Process("up", [*HA_RAG, "up", "--replicas", "2", "--port", str(port), "--config", str(config)], folder)
    up.start()
    try:
        yield up, f"http://127.0.0.1:{port}"
    except BaseException:
        print(up.said())
        raise
    finally:
        await asyncio.to_thread(up.stop)
        redis.kill()


@pytest.mark.parametrize("strike", [psutil.Process.kill, psutil.Process.suspend], ids=["killed", "frozen"])
async def test_a_replica_that_is_killed_or_frozen_while_it_is_asked_loses_no_question_of_the_front(
    yard: Yard, standing_fleet: StandingFleet, tmp_path: Path, strike: Callable[[psutil.Process], None]
):
    async with (
        two_behind_a_front(yard, standing_fleet, tmp_path) as (up, url),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
    ):
        await until_answered(session, url, up)
        provider = Controls(yard.provider.url, session)
        await provider.fail("chat", "slow", delay_s=0.2)  # so that some are under way
        victims = [child for child in psutil.Process(up.pid).children(True) if "serve" in child.cmdline()]
        assert len(victims) == 2
        questions = []
        for number in range(60):
            questions.append(asyncio.ensure_future(question(session, url)))
            await asyncio.sleep(0.05)
            if number == 20:
                strike(victims[0])
        assert await asyncio.gather(*questions) == [200] * 60
        await provider.mend()
        if strike is psutil.Process.suspend:
            victims[0].resume()
        await until_answered(session, url, up)  # by both


async def open_to_half_open(fleet: Fleet, stage: str) -> None:
    """The service has failed, and its circuit's rest is over; nobody has probed yet."""
    await fleet.provider.fail(stage)
    for _ in range(MIN_SAMPLES):
        await fleet.replicas[0].ask()
    await fleet.until_all("open", CIRCUITS[stage], within_s=1)
    await fleet.until_all("half_open", CIRCUITS[stage], within_s=5)


async def ask_again_and_again(replica: Replica) -> None:
    """A question that comes a moment before the grant is answered without the probe; the next one makes it."""
    while True:
        await replica.ask()


async def question(session: aiohttp.ClientSession, url: str) -> int:
    async with session.post(f"{url}/v1/query", json={"question": QUESTION}) as reply:
        await reply.read()
        return reply.status


async def until_answered(session: aiohttp.ClientSession, url: str, up: Process) -> None:
    """The front answers, and both replicas have been seen to be ready."""
    ends_s = time.monotonic() + PATIENCE_S
    ready: set[str] = set()
    while len(ready) < 2:
        assert up.runs, up.said()
        assert time.monotonic() < ends_s, up.said()
        with contextlib.suppress(aiohttp.ClientError):
            async with session.post(f"{url}/v1/query", json={"question": QUESTION}) as reply:
                if reply.status == 200:
                    ready.add((await reply.json())["replica"])
        await asyncio.sleep(0.1)
