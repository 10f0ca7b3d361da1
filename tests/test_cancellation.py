"""A task is ended, whatever became of a cancellation on its way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ha_rag.cancellation import end
from ha_rag.ledger.store.connection import close, connect
from tests.redis_servers import RedisProcess


async def test_a_task_that_lost_a_cancellation_is_cancelled_again() -> None:
    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 5)
    assert task.cancelled()


async def test_a_task_that_hears_a_cancellation_only_right_after_one_that_it_lost_is_ended() -> None:
    """Whoever asks Redis without a pause, and is looked at as each answer comes, is always caught in the sending."""

    async def asks_a_hundred_times() -> None:
        for _ in range(100):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()  # where it is always found, and where a cancellation is lost
            await asyncio.sleep(0)  # the answer is waited for, for one turn of the loop

    task = asyncio.create_task(asks_a_hundred_times())
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()


async def test_whoever_needs_a_moment_to_tidy_up_has_it() -> None:
    tidied = False

    async def tidies_up() -> None:
        nonlocal tidied
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            tidied = True

    task = asyncio.create_task(tidies_up())
    await asyncio.sleep(0)
    await end(task)
    assert tidied


async def test_what_has_ended_already_is_no_trouble() -> None:
    async def failed() -> None:
        raise ConnectionError

    task = asyncio.create_task(failed())
    await asyncio.wait([task])
    await end(task)
    await end()


@pytest.mark.real_redis
@pytest.mark.parametrize("steps", range(0, 12, 3))
async def test_who_asks_redis_for_ever_is_ended_wherever_it_stands(steps: int, redis_server: RedisProcess) -> None:
    client = connect(redis_server.url, timeout_s=2.0)

    async def asks_for_ever() -> None:
        while True:
            await client.hgetall("nothing")

    task = asyncio.create_task(asks_for_ever())
    for _ in range(steps):
        await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 10)
    assert task.done()
    await close(client)
