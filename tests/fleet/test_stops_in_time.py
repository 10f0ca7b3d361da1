"""A replica that is told to stop ends within its promise: a moment's notice, the questions in progress, and no more.

docs/deploying.md promises it; what it has heard from Redis, and whether Redis still answers, must not matter.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import psutil
import pytest
import redis

from tests.fleet.processes import Fleet, Replica, until_ready
from tests.fleet.reader import CIRCUIT, Reader
from tests.fleet.redis_trouble import Act, flush, freeze, kill
from tests.fleet.soak_faults import forge

pytestmark = pytest.mark.fleet

PROMISED_S = 10.0
"""Half a second of notice, questions of at most some seconds, and leaving; the bug took more than a minute."""


@pytest.fixture
async def stopping(fleet: Fleet) -> AsyncIterator[Replica]:
    """The last replica, which runs again afterwards."""
    replica = fleet.replicas[-1]
    yield replica
    if not fleet.redis.runs:
        await asyncio.to_thread(fleet.redis.start)
    fleet.redis.resume()
    await flush(fleet)
    replica.stop()  # it has ended, unless the test failed
    replica.start()
    await until_ready(replica.ready, replica)


async def assert_stops(replica: Replica) -> None:
    process = psutil.Process(replica.pid)
    replica.signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, PROMISED_S)
    assert not replica.runs


async def forged_epochs(fleet: Fleet) -> None:
    """Messages that no replica sent, and an epoch in Redis itself that no double can hold."""
    await forge(fleet)
    with redis.Redis.from_url(fleet.redis.url) as client:
        client.hset(f"test:{{{CIRCUIT}}}:circuit", mapping={"state": "open", "epoch": "9" * 300})
    await forge(fleet)


@pytest.mark.parametrize("trouble", [forged_epochs, freeze, kill], ids=lambda act: act.__name__)
async def test_whatever_redis_says_or_does_not_say_a_stop_ends_in_time(fleet: Fleet, stopping: Replica, trouble: Act):
    await stopping.ask()
    await trouble(fleet)
    await assert_stops(stopping)


async def test_a_reader_of_events_that_never_leaves_does_not_keep_it(stopping: Replica):
    async with Reader(stopping):
        await assert_stops(stopping)


async def test_a_question_in_progress_is_answered_first(fleet: Fleet, stopping: Replica):
    await fleet.provider.fail("chat", "hang")
    received = await fleet.provider.calls("chat")
    asked = asyncio.create_task(stopping.ask())
    while await fleet.provider.calls("chat") == received:
        pass  # each look is a round trip
    await assert_stops(stopping)
    assert (await asked)["answer"]
