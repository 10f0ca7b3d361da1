"""Programs that fork: `os.fork`, and the processes of `multiprocessing`."""

from __future__ import annotations

import os

import pytest

from tests.in_programs.programs import replicas, run
from tests.redis_servers import RedisProcess

pytestmark = [
    pytest.mark.real_redis,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system"),
]

FORKED_INSIDE_A_BLOCK = """
with circuits:
    payments.call_sync(str)
    mine = circuits.incarnation
    child = os.fork()
    if child == 0:
        payments.call_sync(str)
        others = {replica.incarnation for replica in circuits.fleet_sync().replicas}
        own = circuits.incarnation
        tell(shared=shared(), both=others == {mine, own}, renewed=mine != own)
    else:
        _, status = os.waitpid(child, 0)
        until(lambda: len(circuits.fleet_sync().replicas) == 1)
        payments.call_sync(str)
        tell(status=status, shared=shared())
"""

ENTERED_BY_A_LOOP = """
async def main():
    async with circuits:
        await payments.call(str)
        worker = multiprocessing.get_context("fork").Process(target=child)
        worker.start()
        await asyncio.to_thread(worker.join)
        await asyncio.sleep(0)
        tell(shared=await shared_soon(), code=worker.exitcode)

def child():
    payments.call_sync(str)
    tell(shared=shared(), replicas=len(circuits.fleet_sync().replicas))

asyncio.run(main())
"""

A_POOL = """
def work(order):
    fails()
    until(lambda: payments.state == "open")
    return shared()

payments.call_sync(str)
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map(work, range(4))
    until(lambda: payments.state == "open")
    tell(found=found, state=payments.state)
    pool.close()
    pool.join()
until(lambda: len(circuits.fleet_sync().replicas) == 1)
"""

UNDER_WAY_AT_THE_FORK = """
with circuits:
    locked = payments._view.gate.lock
    locked.acquire()  # as a thread may hold it at this moment
    threading.Thread(target=lambda: (time.sleep(0.3), locked.release())).start()
    with_a_thread = os.fork()
    if with_a_thread == 0:
        fails(2)
        tell(state=payments.state)
    else:
        os.waitpid(with_a_thread, 0)
"""

COUNTED_ONCE = """
with circuits:
    for _ in range(20):
        payments.call_sync(str)  # still to be reported
    with payments:
        child = os.fork()
        if child == 0:
            payments.call_sync(str)
            tell(in_flight=len(payments._view.gate.waiting))
    if child == 0:
        payments.call_sync(str)
    else:
        os.waitpid(child, 0)
        until(lambda: circuits.circuits_sync()[0].samples >= 23)
if child != 0:
    with circuits:
        tell(samples=circuits.circuits_sync()[0].samples)
"""


async def test_a_child_forked_inside_a_block_has_a_link_of_its_own_and_both_leave(redis_server: RedisProcess) -> None:
    child, parent = run(FORKED_INSIDE_A_BLOCK, redis_server.url)
    assert child == {"shared": "fresh", "both": True, "renewed": True}
    assert parent == {"status": 0, "shared": "fresh"}
    assert await replicas(redis_server.url) == 0


async def test_a_process_forked_by_a_program_with_an_event_loop_has_a_link_of_its_own(
    redis_server: RedisProcess,
) -> None:
    child, parent = run(ENTERED_BY_A_LOOP, redis_server.url)
    assert child == {"shared": "fresh", "replicas": 2}
    assert parent == {"shared": "fresh", "code": 0}
    assert await replicas(redis_server.url) == 0


async def test_the_workers_of_a_pool_share_their_circuits_with_the_process_that_started_them(
    redis_server: RedisProcess,
) -> None:
    assert run(A_POOL, redis_server.url) == [{"found": ["fresh"] * 4, "state": "open"}]
    assert await replicas(redis_server.url) == 0


def test_a_lock_held_at_the_fork_does_not_block_the_child(redis_server: RedisProcess) -> None:
    assert run(UNDER_WAY_AT_THE_FORK, redis_server.url) == [{"state": "closed"}]


def test_each_call_counts_once_in_the_process_that_began_it(redis_server: RedisProcess) -> None:
    """The 20 calls before the fork and the one under way in the parent, two in the child."""
    assert run(COUNTED_ONCE, redis_server.url) == [{"in_flight": 0}, {"samples": 23}]


A_LOOP_IN_THE_BACKGROUND = """
from ha_rag.background import BackgroundLoop

async def answer():
    return os.getpid()

loop = BackgroundLoop("await")
tell(own=loop.run(answer) == os.getpid())
child = os.fork()
if child == 0:
    tell(own=loop.run(answer) == os.getpid())
    async def last():
        pass
    loop.close(last)
else:
    os.waitpid(child, 0)
    tell(own=loop.run(answer) == os.getpid())
"""


def test_what_runs_on_a_background_loop_also_runs_in_a_forked_child(redis_server: RedisProcess) -> None:
    """`HighAvailabilityRAG.query_sync` too uses such a loop."""
    assert run(A_LOOP_IN_THE_BACKGROUND, redis_server.url) == [{"own": True}] * 3
