"""FastAPI: `with breaker: yield` in a dependency. FastAPI enters and leaves a synchronous one in different threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from ha_rag.circuit.state import Counts
from tests.breaker.one_breaker import CLOSED, DOWN, OPEN, OneBreaker


class Program:
    """An application whose one route is guarded by a dependency. `one`: its breaker."""

    def __init__(self, *, synchronous: bool) -> None:
        self.one = OneBreaker()
        app = FastAPI()

        def guard() -> Iterator[None]:
            with self.one.breaker:
                yield

        async def guard_async() -> AsyncIterator[None]:
            async with self.one.breaker:
                yield

        @app.get("/{way}", dependencies=[Depends(guard if synchronous else guard_async)])
        def order(way: str) -> str:
            if way == "down":
                raise DOWN
            return "done"

        self._client = TestClient(app, raise_server_exceptions=False)

    def get(self, way: str) -> int:
        return self._client.get(way).status_code


@pytest.fixture(params=[True, False], ids=["synchronous", "asynchronous"])
def program(request: pytest.FixtureRequest) -> Program:
    return Program(synchronous=request.param)


def test_every_failed_request_counts(program: Program) -> None:
    assert [program.get("fine"), program.get("down"), program.get("down")] == [200, 500, 500]
    assert program.one.counts == Counts(1, 2)


def test_the_circuit_opens_and_a_later_request_closes_it(program: Program) -> None:
    for _ in range(4):
        program.get("down")
    assert program.one.breaker.state is OPEN
    program.one.clock.advance(10.1)
    assert program.get("fine") == 200
    assert program.one.breaker.state is CLOSED
