"""The random numbers of circuits are their own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import suppress

import pytest

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from tests.redis_servers import RedisProcess


async def test_a_program_that_seeds_random_gets_the_same_numbers_beside_a_circuit(redis_server: RedisProcess) -> None:
    random.seed(7)
    expected = [random.random() for _ in range(3)]
    random.seed(7)
    async with CircuitRegistry.connect(redis_server.url, namespace="shop", replica="a") as circuits:
        payments = circuits.breaker("payments", CircuitPolicy(min_samples=3))
        for _ in range(5):
            with suppress(ConnectionError, CircuitOpenError):
                await payments.call(_refused)
        await circuits.circuits()
        assert [random.random() for _ in range(3)] == expected


async def _refused() -> None:
    raise ConnectionError


FORK = """
import os
from ha_rag import chance
child = os.fork()
drawn = chance.draw()
if child:
    os.waitpid(child, 0)
print(drawn)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_draws_other_numbers_than_its_parent() -> None:
    drawn = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True).stdout.split()
    assert len(set(drawn)) == 2
