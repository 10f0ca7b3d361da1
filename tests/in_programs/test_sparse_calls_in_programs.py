"""Programs with a call now and then close the circuit that they share: real time, a real Redis, 0 or 150 ms away.

`tests/ledger/test_sparse_calls.py` has the intervals, latencies and forms that one event loop can show.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.breaker.one_breaker import DOWN, fine
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

POLICY = CircuitPolicy(min_samples=2, window_s=5.0, recovery_timeout_s=1.0)
EVERY_S = 0.8
"""More than half a lease, for which a grant is kept without knowing that calls are rare."""

AT_MOST = 12


class Far(RedisLedger):
    """A Redis whose reply to each lease, settle and read takes `round_trip_s` seconds longer."""

    round_trip_s = 0.0

    async def lease(self, *args: Any) -> Any:
        await asyncio.sleep(self.round_trip_s)
        return await super().lease(*args)

    async def settle(self, *args: Any) -> Any:
        await asyncio.sleep(self.round_trip_s)
        return await super().settle(*args)

    async def read(self, *args: Any) -> Any:
        await asyncio.sleep(self.round_trip_s)
        return await super().read(*args)


class Program:
    """A registry, not entered yet, and its breaker."""

    def __init__(self, url: str, round_trip_s: float, name: str = "r1") -> None:
        def ledger() -> Far:
            far = Far(connect(url), "sparse")
            far.round_trip_s = round_trip_s
            return far

        self.registry = CircuitRegistry(ledger, replica=name)
        self.breaker: CircuitBreaker = self.registry.breaker("svc", POLICY)


@pytest.fixture(params=[0.0, 0.15], ids=["Redis near", "Redis 150 ms away"])
def round_trip_s(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def other(redis_server: RedisProcess) -> Iterator[Program]:
    """Another replica, which has seen the service fail and makes no more calls. The circuit is half-open."""
    other = Program(redis_server.url, 0.0, "other")
    with other.registry:
        while other.breaker.state is CLOSED:
            with contextlib.suppress(type(DOWN), CircuitOpenError):
                other.breaker.call_sync(_fails)
        while other.breaker.state is OPEN:
            time.sleep(0.02)
        yield other


def _fails() -> None:
    raise DOWN


def closes(other: Program, one_call: Callable[[], object]) -> None:
    """Makes calls until the other replica, too, knows that the circuit is closed."""
    for _ in range(AT_MOST):
        began_s = time.monotonic()
        with contextlib.suppress(CircuitOpenError):
            one_call()
        while other.breaker.state is not CLOSED and time.monotonic() - began_s < EVERY_S:
            time.sleep(0.02)
        if other.breaker.state is CLOSED:
            return
    pytest.fail(f"still {other.breaker.state} after {AT_MOST} calls")


def test_asyncio_run_for_each_call(redis_server: RedisProcess, other: Program, round_trip_s: float) -> None:
    program = Program(redis_server.url, round_trip_s)
    with program.registry:
        closes(other, lambda: asyncio.run(program.breaker.call(fine)))


def test_asyncio_run_with_a_registry_of_its_own_for_each_call(
    redis_server: RedisProcess, other: Program, round_trip_s: float
) -> None:
    async def main() -> None:
        program = Program(redis_server.url, round_trip_s)
        async with program.registry:
            await program.breaker.call(fine)

    closes(other, lambda: asyncio.run(main()))


def test_asyncio_run_that_enters_the_same_registry_for_each_call(
    redis_server: RedisProcess, other: Program, round_trip_s: float
) -> None:
    program = Program(redis_server.url, round_trip_s)

    async def main() -> None:
        async with program.registry:
            await program.breaker.call(fine)

    closes(other, lambda: asyncio.run(main()))


def test_an_async_view_on_another_event_loop_than_the_registrys(
    redis_server: RedisProcess, other: Program, round_trip_s: float
) -> None:
    program = Program(redis_server.url, round_trip_s)
    with program.registry, asyncio.Runner() as views:

        async def view() -> None:
            async with program.breaker:
                await fine()

        closes(other, lambda: views.run(view()))


def test_a_synchronous_call_inside_a_running_event_loop(
    redis_server: RedisProcess, other: Program, round_trip_s: float
) -> None:
    program = Program(redis_server.url, round_trip_s)
    with program.registry, asyncio.Runner() as loop:

        async def view() -> int:
            return program.breaker.call_sync(int)

        closes(other, lambda: loop.run(view()))


def test_a_synchronous_call_in_a_thread_of_its_own_each_time(
    redis_server: RedisProcess, other: Program, round_trip_s: float
) -> None:
    program = Program(redis_server.url, round_trip_s)

    def guarded() -> None:
        with contextlib.suppress(CircuitOpenError), program.breaker:
            pass

    def one_call() -> None:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()

    with program.registry:
        closes(other, one_call)


def test_admit_alone(redis_server: RedisProcess, other: Program, round_trip_s: float) -> None:
    program = Program(redis_server.url, round_trip_s)

    def one_call() -> None:
        permit = program.breaker.admit().permit
        if permit is not None:
            permit.ok()

    with program.registry:
        closes(other, one_call)
