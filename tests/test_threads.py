"""The thread pools of a process have their configured size, and nothing else starts computing threads."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading

import pytest

from ha_rag.cores import cores
from ha_rag.threads import WAITING_THREADS, Pool, computing, writing

TOO_LONG_S = 30.0
REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("REQUEST_ID")


async def _threads_at_once(pool: Pool) -> set[str]:
    """The threads used by three rounds of `pool.size` tasks, each of which needs all of them to run at once."""
    barrier = threading.Barrier(pool.size)

    def wait_for_all() -> str:
        barrier.wait(TOO_LONG_S)
        return threading.current_thread().name

    return set(await asyncio.gather(*(pool.run(wait_for_all) for _ in range(3 * pool.size))))


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_pool_runs_as_many_tasks_at_once_as_its_size(size: int) -> None:
    threads = await _threads_at_once(Pool("some", size))
    assert len(threads) == size
    assert all(name.startswith("some") for name in threads)


async def test_there_is_one_computing_thread_per_core_and_one_writing_thread() -> None:
    assert (computing.size, writing.size) == (cores(), 1)
    assert len(await _threads_at_once(computing)) == cores()
    assert len(await _threads_at_once(writing)) == 1


async def test_work_in_a_pool_sees_its_callers_context_variables() -> None:
    REQUEST_ID.set("r-1")
    assert await computing.run(REQUEST_ID.get) == "r-1"


async def test_an_error_in_a_pool_reaches_the_caller() -> None:
    def fail(*, word: str) -> None:
        raise ValueError(word)

    with pytest.raises(ValueError, match="no"):
        await computing.run(fail, word="no")


async def test_work_cancelled_before_a_thread_is_free_never_starts() -> None:
    pool, began, go_on = Pool("some", 1), threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        began.set()
        go_on.wait(TOO_LONG_S)

    occupied = asyncio.ensure_future(pool.run(first))
    assert await asyncio.to_thread(began.wait, TOO_LONG_S)
    left = asyncio.ensure_future(pool.run(done.append, "left"))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    go_on.set()
    await occupied
    await pool.run(done.append, "next")
    assert done == ["next"]


OUR_PROCESS = """
import asyncio, threading
import numpy  # loads BLAS
from threadpoolctl import threadpool_info
from ha_rag.threads import WAITING_THREADS, computing, size_this_process

def blas(): return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

def wait_for_all(barrier):
    barrier.wait(30)
    return threading.current_thread().name, max(blas(), default=1)

async def main():
    size_this_process(asyncio.get_running_loop())
    print(blas(), await computing.run(blas))
    barrier = threading.Barrier(WAITING_THREADS)
    met = await asyncio.gather(*(asyncio.to_thread(wait_for_all, barrier) for _ in range(2 * WAITING_THREADS)))
    print(len({name for name, _ in met}), {threads for _, threads in met})

print(max(blas(), default=1))
asyncio.run(main())
"""


def test_in_our_processes_blas_uses_the_calling_thread_and_the_default_executor_has_our_size() -> None:
    before, *after = _output_of(OUR_PROCESS)
    if int(before) == 1:
        pytest.skip("BLAS uses one thread here anyway")
    assert after == ["{1} {1}", f"{WAITING_THREADS} {{1}}"]


def test_in_our_processes_a_thread_lets_the_event_loop_run_after_a_millisecond() -> None:
    program = "import asyncio, sys; from ha_rag.threads import size_this_process; loop = asyncio.new_event_loop()"
    assert _output_of(f"{program}; size_this_process(loop); loop.close(); print(sys.getswitchinterval())") == ["0.001"]


AFTER_A_FORK = """
import asyncio, os
from ha_rag.threads import computing

asyncio.run(computing.run(int))
child = os.fork()
if not child:
    os._exit(asyncio.run(computing.run(lambda: 7)))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_its_own_threads() -> None:
    assert _output_of(AFTER_A_FORK) == ["7"]


def _output_of(program: str) -> list[str]:
    """The lines printed by a Python program."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_work_on_each_item_runs_on_all_threads_and_its_results_are_in_order() -> None:
    pool = Pool("some", 3)
    barrier = threading.Barrier(3)

    def work(item: int) -> tuple[int, str]:
        barrier.wait(TOO_LONG_S)
        return item * item, threading.current_thread().name

    results = await pool.run_each(work, range(9))
    assert [square for square, _ in results] == [n * n for n in range(9)]
    assert len({name for _, name in results}) == 3
    assert await pool.run_each(work, []) == []


async def test_other_work_waits_for_the_items_in_progress_and_not_for_all() -> None:
    pool, go_on = Pool("some", 1), threading.Event()
    done: list[str] = []

    def work(item: str) -> None:
        assert go_on.wait(TOO_LONG_S)
        done.append(item)

    each = asyncio.create_task(pool.run_each(work, ["a", "b", "c", "d"]))
    await asyncio.sleep(0)
    other = asyncio.create_task(pool.run(work, "other"))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(each, other)
    assert done.index("other") <= 2


async def test_after_an_error_or_a_cancellation_no_further_item_begins() -> None:
    pool, began, go_on = Pool("some", 1), threading.Event(), threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        began.set()
        assert go_on.wait(TOO_LONG_S)
        if item == 1:
            raise ValueError("one")

    cancelled = asyncio.create_task(pool.run_each(work, [0, 1, 2, 3]))
    assert await asyncio.to_thread(began.wait, TOO_LONG_S)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    go_on.set()
    with pytest.raises(ValueError, match="one"):
        await pool.run_each(work, [0, 1, 2, 3])
    assert done == [0, 0, 1]
