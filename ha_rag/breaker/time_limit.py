"""A time limit that costs nothing where nothing is waited for.

`asyncio.timeout` sets and cancels a timer, 10 us on the machine this was measured on, even around a component that
answers from memory. Here the component's first step runs before any timer is set: most in-process tiers end there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from types import coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


class TimeIsUpError(Exception):
    """The limit passed. `late_s`: how much later than asked the event loop noticed."""

    def __init__(self, late_s: float) -> None:
        super().__init__("time is up")
        self.late_s = late_s


async def within(limit_s: float | None, work: Awaitable[T]) -> T:
    """What `work` returns or raises within `limit_s` seconds (None: unlimited); else it is cancelled: TimeIsUpError."""
    if limit_s is None:
        return await work
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as done:
        return cast("T", done.value)
    loop = asyncio.get_running_loop()
    due_s = loop.time() + limit_s
    limit = asyncio.timeout_at(due_s)
    try:
        async with limit:
            return cast("T", await _the_rest(steps, waits_for))
    except TimeoutError:
        if not limit.expired():
            raise
    raise TimeIsUpError(loop.time() - due_s)


@coroutine
def _the_rest(steps: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Goes on with a coroutine whose first step has been taken: `yield from`, but from the middle."""
    step: Callable[[Any], Any]
    while True:
        try:
            sent = yield waits_for
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as thrown:  # a cancellation, mostly: the work decides what becomes of it
            step, value = steps.throw, thrown
        else:
            step, value = steps.send, sent
        try:
            waits_for = step(value)
        except StopIteration as done:
            return done.value
