"""Many circuits in a fleet with a replica of 0.1.0, which writes no log of changes and knows no escaped names."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.state import CircuitState
from tests.patient_replicas import IN_A_PROGRAM_OF_0_1_0
from tests.redis_servers import RedisProcess
from tests.version_0_1_0 import Version010
from tests.waiting import until

CIRCUITS = 60

OLD_REPLICA = (
    IN_A_PROGRAM_OF_0_1_0
    + """
import asyncio, sys
from ha_rag.breaker.registry import CircuitRegistry

async def main():
    async with CircuitRegistry.connect(sys.argv[1], replica="old") as circuits:
        for number in range(60):
            circuits.breaker(f"c{number}")
        print("joined", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await circuits.override(line.strip(), "open", reason="test", by="old")
            print(sorted(report.name for report in await circuits.circuits())[-1], flush=True)

asyncio.run(main())
"""
)


@pytest.mark.real_redis
async def test_a_change_by_0_1_0_is_known_although_no_message_arrives_and_it_is_in_no_log(
    redis_server: RedisProcess, version_0_1_0: Version010, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OLD_REPLICA, redis_server.url, env=version_0_1_0.environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert old.stdin is not None
    assert old.stdout is not None
    try:
        assert await old.stdout.readline() == b"joined\n"
        async with CircuitRegistry.connect(redis_server.url, replica="new") as circuits:
            for number in range(CIRCUITS):
                circuits.breaker(f"c{number}")
            circuits.breaker("zz.example:443")
            in_use = circuits.breaker("c59")
            await in_use.call(asyncio.sleep, 0)
            sync = circuits._sync
            assert sync is not None
            monkeypatch.setattr(sync._subscription, "_receive", _ignored)

            old.stdin.write(b"c59\n")
            listed = await old.stdout.readline()
            await until(lambda: in_use.state is CircuitState.OPEN)
            assert listed == b"c9\n", "0.1.0 ignores a name that it does not know how to store"
    finally:
        old.stdin.close()
        assert await old.wait() == 0


async def _ignored(_: object) -> None:
    """A message that is lost."""
