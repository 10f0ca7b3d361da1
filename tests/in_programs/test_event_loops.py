"""Programs with several event loops, with a loop that has ended, with none, and with one that is not asyncio's."""

from __future__ import annotations

import pytest

from tests.in_programs.programs import replicas, run
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

SEVERAL_RUNS = """
async def step():
    await payments.call(str)
    return await shared_soon(), [replica.incarnation for replica in (await circuits.fleet()).replicas]

found = [asyncio.run(step()) for _ in range(3)]
tell(same=found[0] == found[1] == found[2], shared=found[0][0])
"""

TWO_LOOPS = """
def work():
    async def step():
        await payments.call(str)
        return len(await circuits.circuits())
    found.append(asyncio.run(step()))

async def main():
    async with circuits:
        await asyncio.to_thread(work)
        found.append(await asyncio.to_thread(lambda: len(circuits.circuits_sync())))

found = []
asyncio.run(main())
tell(found=found)
"""

A_LOOP_THAT_ENDED = """
async def enter():
    await circuits.__aenter__()
    await payments.call(str)

asyncio.run(enter())
left = circuits.shared_state
payments.call_sync(str)
tell(left=left, shared=shared(), replicas=len(circuits.fleet_sync().replicas))
"""

A_LOOP_THAT_STOPPED = """
loop = asyncio.new_event_loop()
loop.run_until_complete(circuits.__aenter__())
payments.call_sync(str)
try:
    circuits.fleet_sync()
except RuntimeError as error:
    tell(error=str(error))
loop.run_until_complete(circuits.__aexit__(None, None, None))
loop.close()
"""

A_LOOP_THAT_WAS_CLOSED = """
import logging
logging.disable()  # asyncio reports the tasks that the closed loop left
loop = asyncio.new_event_loop()
loop.run_until_complete(circuits.__aenter__())
loop.close()
fails()
until(lambda: circuits.shared_state == "fresh")
tell(circuits=[circuit.name for circuit in circuits.circuits_sync()])
os._exit(0)
"""

NESTED = """
async def main():
    async with circuits:
        async with circuits:
            await payments.call(str)
        inside = await shared_soon()
        with circuits:
            pass
        tell(inside=inside, still=await shared_soon())
    tell(left=circuits.shared_state)

asyncio.run(main())
with circuits, circuits:
    payments.call_sync(str)
    tell(again=shared())
payments.call_sync(str)
tell(left=circuits.shared_state)
"""

A_NOTEBOOK = """
async def cells():  # a notebook runs its cells inside a loop, which does not stop between them
    payments.call_sync(str)
    await shared_soon()
    with payments:
        pass
    fails()
    while payments.state != "open":
        await asyncio.sleep(0.01)
    try:
        circuits.circuits_sync()
    except RuntimeError as error:
        tell(error=str(error))
    while payments.state == "open":
        await asyncio.sleep(0.01)
    closed = False
    while not closed:  # a cell every now and then
        await asyncio.sleep(0.1)
        try:
            payments.call_sync(str)
            closed = payments.state == "closed"
        except CircuitOpenError:
            pass
    tell(circuits=[circuit.name for circuit in await circuits.circuits()])

asyncio.run(cells())
"""

SYNCHRONOUS = """
report = circuits.override_sync("payments", "open", reason="deploy", by="me")
try:
    payments.call_sync(str)
except CircuitOpenError:
    tell(override=report.override.mode, replicas=len(circuits.fleet_sync().replicas))
circuits.end_override_sync("payments", by="me")
(circuit,) = circuits.circuits_sync()
tell(override=circuit.override)
"""

TRIO = """
import trio

async def main():
    for work in (lambda: payments.call(str), payments.__aenter__, circuits.__aenter__, circuits.fleet):
        try:
            await work()
        except RuntimeError as error:
            tell(error=str(error))
    tell(result=payments.call_sync(str, 1))

trio.run(main)
"""


async def test_a_registry_used_by_several_runs_of_asyncio_stays_one_replica(redis_server: RedisProcess) -> None:
    assert run(SEVERAL_RUNS, redis_server.url) == [{"same": True, "shared": "fresh"}]
    assert await replicas(redis_server.url) == 0


def test_a_registry_entered_on_one_loop_can_be_used_and_read_on_another(redis_server: RedisProcess) -> None:
    assert run(TWO_LOOPS, redis_server.url) == [{"found": [1, 1]}]


async def test_a_registry_whose_loop_ended_leaves_and_joins_again_at_its_next_call(redis_server: RedisProcess) -> None:
    assert run(A_LOOP_THAT_ENDED, redis_server.url) == [{"left": "local", "shared": "fresh", "replicas": 1}]
    assert await replicas(redis_server.url) == 0


def test_reading_through_a_loop_that_does_not_run_is_an_error_that_says_what_to_do(redis_server: RedisProcess) -> None:
    (told,) = run(A_LOOP_THAT_STOPPED, redis_server.url)
    assert "is not running: enter the registry with `with`" in told["error"]


def test_a_registry_whose_loop_was_closed_joins_again_after_a_failure(redis_server: RedisProcess) -> None:
    assert run(A_LOOP_THAT_WAS_CLOSED, redis_server.url) == [{"circuits": ["payments"]}]


async def test_a_registry_that_is_entered_twice_is_left_by_the_last_exit(redis_server: RedisProcess) -> None:
    inside, left, again, left_again = run(NESTED, redis_server.url)
    assert inside == {"inside": "fresh", "still": "fresh"}
    assert (left, again, left_again) == ({"left": "local"}, {"again": "fresh"}, {"left": "local"})
    assert await replicas(redis_server.url) == 0


def test_a_circuit_opens_and_closes_in_a_notebook(redis_server: RedisProcess) -> None:
    refused, read = run(A_NOTEBOOK, redis_server.url)
    assert "use `await circuits()`" in refused["error"]
    assert read == {"circuits": ["payments"]}


def test_overrides_and_reads_have_synchronous_forms(redis_server: RedisProcess) -> None:
    assert run(SYNCHRONOUS, redis_server.url) == [{"override": "open", "replicas": 1}, {"override": None}]


def test_under_trio_the_async_forms_say_that_they_need_asyncio(redis_server: RedisProcess) -> None:
    pytest.importorskip("trio")
    *errors, last = run(TRIO, redis_server.url)
    assert len(errors) == 4
    assert all("It does not run under trio" in told["error"] for told in errors)
    assert last == {"result": "1"}
