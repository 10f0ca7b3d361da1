"""The longest step of an event loop: how long everything else waited for one callback at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Steps:
    """`longest_s`: of CPU time, so that other programs on the machine do not count. `what`: where it began."""

    longest_s: float = 0.0
    what: str = ""


@contextmanager
def watched_steps() -> Iterator[Steps]:
    """Measures each step of the loops of this thread; those of asyncio, not of uvloop."""
    steps, run = Steps(), asyncio.events.Handle._run

    def measured(handle: asyncio.events.Handle) -> None:
        where = _where(handle)
        began_s = time.thread_time()
        run(handle)
        took_s = time.thread_time() - began_s
        if took_s > steps.longest_s:
            steps.longest_s, steps.what = took_s, f"{handle!r} {where}"

    asyncio.events.Handle._run = measured  # type: ignore[method-assign,assignment]  # the loop offers no hook
    try:
        yield steps
    finally:
        asyncio.events.Handle._run = run  # type: ignore[method-assign]  # as above


def _where(handle: asyncio.events.Handle) -> list[str]:
    """The lines at which the task of this step waits."""
    task = getattr(getattr(handle, "_callback", None), "__self__", None)
    waiting: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
    found = []
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        found.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        waiting = waiting.cr_await
    return found
