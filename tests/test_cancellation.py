"""`end` ends a task even if it swallows a cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ha_rag.cancellation import end, gathered
from ha_rag.ledger.store.connection import close, connect
from tests.redis_servers import RedisProcess
from tests.waiting import PATIENCE_S


async def test_a_task_that_swallowed_a_cancellation_is_cancelled_again() -> None:
    async def swallow_one() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(swallow_one())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), PATIENCE_S)
    assert task.cancelled()


async def test_a_task_that_swallows_every_other_cancellation_is_ended() -> None:
    """Each cancellation arrives where it is swallowed, as in a task that calls Redis without a pause."""

    async def swallow_a_hundred() -> None:
        for _ in range(100):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()  # swallows the cancellation
            await asyncio.sleep(0)  # one iteration of the loop in which a cancellation would work

    task = asyncio.create_task(swallow_a_hundred())
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()


async def test_a_task_may_clean_up_before_it_ends() -> None:
    cleaned_up = False

    async def clean_up() -> None:
        nonlocal cleaned_up
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            cleaned_up = True

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    await end(task)
    assert cleaned_up


async def test_a_task_that_has_already_ended_is_accepted() -> None:
    async def failed() -> None:
        raise ConnectionError

    task = asyncio.create_task(failed())
    await asyncio.wait([task])
    await end(task)
    await end()


@pytest.mark.real_redis
@pytest.mark.parametrize("steps", range(0, 12, 3))
async def test_a_task_that_calls_redis_forever_is_ended_at_any_point(steps: int, redis_server: RedisProcess) -> None:
    client = connect(redis_server.url, timeout_s=2.0)

    async def call_forever() -> None:
        while True:
            await client.hgetall("nothing")

    task = asyncio.create_task(call_forever())
    for _ in range(steps):
        await asyncio.sleep(0)
    await asyncio.wait_for(end(task), PATIENCE_S)
    assert task.done()
    await close(client)


async def test_what_was_gathered_has_ended_when_one_of_it_fails():
    ended = []

    async def fails() -> None:
        raise ConnectionError("first")

    async def takes_longer() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ended.append(True)

    with pytest.raises(ConnectionError, match="first"):
        await gathered(takes_longer(), fails(), takes_longer())
    assert ended == [True, True]


async def test_results_are_gathered_in_order():
    async def told(number: int) -> int:
        return number

    assert await gathered(told(1), told(2)) == [1, 2]


async def test_cancelling_the_gathering_cancels_what_it_waits_for():
    forever = asyncio.ensure_future(asyncio.Event().wait())
    gathering = asyncio.ensure_future(gathered(forever))
    await asyncio.sleep(0)
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering
    assert forever.cancelled()
