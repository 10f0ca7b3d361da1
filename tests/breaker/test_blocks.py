"""A permit follows its `with` block, whichever thread, task or context leaves it, and however many are open."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.circuit.state import CircuitState, Counts
from tests.breaker.one_breaker import DOWN, OneBreaker, hangs
from tests.waiting import PATIENCE_S

CLOSED = CircuitState.CLOSED


@pytest.fixture
def one() -> OneBreaker:
    return OneBreaker()


def elsewhere(act: Callable[..., Any], *args: Any) -> Any:
    """Calls `act` in a thread and a context of its own, as FastAPI does with each half of a dependency."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, act, *args).result()


def guarded(breaker: CircuitBreaker) -> Iterator[None]:
    with breaker:
        yield


async def guarded_async(breaker: CircuitBreaker) -> AsyncIterator[int]:
    async with breaker:
        yield 1
        yield 2


def test_a_generator_that_is_entered_in_one_thread_and_left_in_another_counts_its_failure(one: OneBreaker) -> None:
    block = guarded(one.breaker)
    elsewhere(next, block)
    with pytest.raises(type(DOWN)):
        elsewhere(block.throw, DOWN)  # type: ignore[attr-defined]  # a generator
    assert one.counts == Counts(0, 1)


def test_generators_left_in_any_order_settle_their_own_permits(one: OneBreaker) -> None:
    blocks = [guarded(one.breaker) for _ in range(3)]
    for block in blocks:
        elsewhere(next, block)
        one.clock.advance(1)
    for number in (1, 2, 0):
        elsewhere(next, blocks[number], None)
    assert list(one.breaker._view.gate._latencies) == [2.0, 1.0, 3.0]
    assert one.counts == Counts(3, 0)


def test_an_outer_block_in_the_context_keeps_its_permit(one: OneBreaker) -> None:
    with one.breaker as outer:
        block = guarded(one.breaker)
        elsewhere(next, block)
        with pytest.raises(type(DOWN)):
            elsewhere(block.throw, DOWN)  # type: ignore[attr-defined]  # a generator
        assert not outer._done
        assert one.counts == Counts(0, 1)
    assert one.counts == Counts(1, 1)


async def test_an_async_generator_stepped_by_tasks_counts_its_failure(one: OneBreaker) -> None:
    steps = guarded_async(one.breaker)
    for _ in range(2):
        await asyncio.create_task(anext(steps))  # type: ignore[arg-type]  # a coroutine since it is a generator
    with pytest.raises(type(DOWN)):
        await asyncio.create_task(steps.athrow(DOWN))  # type: ignore[attr-defined]  # a generator
    assert one.counts == Counts(0, 1)


async def test_an_async_generator_stepped_within_time_limits_ends_half_open(one: OneBreaker) -> None:
    one.half_opens()
    async for _ in _within_limits(guarded_async(one.breaker)):
        pass
    assert one.breaker.state is CLOSED


async def _within_limits(steps: AsyncIterator[int]) -> AsyncIterator[int]:
    """Each step in `wait_for`, which runs it in a task of its own on Python 3.11."""
    with contextlib.suppress(StopAsyncIteration):
        while True:
            yield await asyncio.wait_for(anext(steps), PATIENCE_S)


def test_a_generator_that_is_dropped_settles_its_permit(one: OneBreaker) -> None:
    block = guarded(one.breaker)
    elsewhere(next, block)
    del block
    gc.collect()
    assert len(one.breaker._blocks) == 0


async def test_a_task_cancelled_inside_its_block_leaves_no_block_open(one: OneBreaker) -> None:
    async def work() -> None:
        async with one.breaker:
            await hangs()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert len(one.breaker._blocks) == 0


def test_two_blocks_of_one_frame_settle_the_inner_permit_first(one: OneBreaker) -> None:
    with one.breaker as outer, one.breaker as inner:
        pass
    assert outer is not inner
    with one.breaker as outer:
        with one.breaker as inner:
            pass
        assert (inner._done, outer._done) == (True, False)


async def test_exit_stacks_of_many_tasks_settle_their_own_permits(one: OneBreaker) -> None:
    async def work(seconds: int, first: asyncio.Event, then: asyncio.Event) -> None:
        await first.wait()
        with contextlib.ExitStack() as stack:
            stack.enter_context(one.breaker)
            await then.wait()
            one.clock.advance(seconds)

    begin, one_ends, other_ends = asyncio.Event(), asyncio.Event(), asyncio.Event()
    one_task = asyncio.create_task(work(1, begin, one_ends))
    begin.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    one.clock.advance(5)
    other_task = asyncio.create_task(work(1, begin, other_ends))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    other_ends.set()
    await other_task
    one_ends.set()
    await one_task
    assert list(one.breaker._view.gate._latencies) == [1.0, 7.0]


def test_an_exit_stack_left_in_another_context_still_counts(one: OneBreaker) -> None:
    stack = contextlib.ExitStack()
    elsewhere(stack.enter_context, one.breaker)
    with pytest.raises(type(DOWN)):
        elsewhere(_leave_with, stack, DOWN)
    assert one.counts == Counts(0, 1)


def _leave_with(stack: contextlib.ExitStack, error: Exception) -> None:
    with stack:
        raise error


def test_a_block_that_was_never_entered_says_so(one: OneBreaker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        one.breaker.__exit__(None, None, None)
    assert "circuit svc was left but never entered" in caplog.text


def test_blocks_left_in_other_contexts_are_not_kept_in_this_one(one: OneBreaker) -> None:
    for _ in range(3):
        block = guarded(one.breaker)
        next(block)
        elsewhere(next, block, None)
    with one.breaker as permit:
        assert permit.before is None
