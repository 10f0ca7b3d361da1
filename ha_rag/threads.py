"""Threads: the pools of this process; their sizes are decided here and nowhere else.

- `computing`: one a core, for searches that are too long for the event loop and for embedding many texts;
- `writing`: one more, for the one writer that an index can have, so that no search waits behind an ingest;
- `reading`: one that waits for the process that reads documents, so that one that takes long keeps no other thread;
- asyncio's own executor: a few that wait (for names, a collector, a disk) and compute little.

Libraries work in the thread that calls them: columns are searched with a routine that starts no threads, usearch and
tantivy are configured the same way, and BLAS is limited by `size_this_process`. One starts one thread a core while its
caller waits: usearch when an ingest builds a graph.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ha_rag.cores import cores

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

WAITING_THREADS = 8


class Pool:
    """`size` threads, started when they are first needed. Safe across tasks, event loops, threads and forks."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._executor = ThreadPoolExecutor(self.size, self.name)

    async def run_each(self, work: Callable[[A], T], items: Sequence[A]) -> list[T]:
        """What `work` returns for each item, in order; as many run at a time as there are threads.

        It asks for a thread again after each item, so that other work waits for the items in progress and not for all.
        If one raises, or the caller is cancelled, those that have not begun never do.
        """
        results: dict[int, T] = {}
        left = iter(enumerate(items))

        async def take() -> None:
            for number, item in left:
                results[number] = await self.run(work, item)

        takers = [asyncio.create_task(take()) for _ in range(min(self.size, len(items)))]
        try:
            await asyncio.gather(*takers)
        finally:
            for taker in takers:
                taker.cancel()
        return [results[number] for number in range(len(items))]

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises, in the caller's context. Cancelled while it waits, it never begins."""
        call = partial(contextvars.copy_context().run, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


SWITCH_S = 0.001
"""How long a thread may run Python code while another one waits to."""

computing = Pool("ha_rag-compute", cores())
writing = Pool("ha_rag-write", 1)
reading = Pool("ha_rag-read", 1)


async def finished(running: Coroutine[Any, Any, T]) -> T:
    """What `running` returns or raises. If cancelled, waits for its end before raising.

    A thread cannot be interrupted, so leaving early would close or remove files that it still writes to.
    """
    task = asyncio.ensure_future(running)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def size_this_process(loop: asyncio.AbstractEventLoop) -> None:
    """Sizes what the process has beside these pools: the executor of `loop`, and BLAS, which then starts no threads.

    A thread that runs Python code lets another one run after a millisecond instead of five: the event loop waits for a
    model's thread no longer than that. For a process that is ours alone: a replica, an ingest. A program that uses
    ha_rag as a library keeps its own sizes.
    """
    _limit_blas()
    sys.setswitchinterval(SWITCH_S)
    loop.set_default_executor(ThreadPoolExecutor(WAITING_THREADS, "ha_rag-wait", initializer=_limit_blas))


def _limit_blas() -> None:
    from threadpoolctl import threadpool_limits

    # Where BLAS runs on OpenMP the limit holds for the calling thread only, else for the whole process.
    threadpool_limits(limits=1, user_api="blas")
