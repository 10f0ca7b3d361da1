"""A policy that changes in one replica while another runs 0.1.0 with the old policy, over a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag import CircuitPolicy, CircuitRegistry, CircuitState
from tests.patient_replicas import IN_A_PROGRAM_OF_0_1_0
from tests.redis_servers import RedisProcess
from tests.version_0_1_0 import Version010
from tests.waiting import until

pytestmark = pytest.mark.real_redis

OLD_REPLICA = (
    IN_A_PROGRAM_OF_0_1_0
    + """
import asyncio
from ha_rag import CircuitPolicy, CircuitRegistry

async def main(url, failures):
    async with CircuitRegistry.connect(url, namespace="shop", replica="old") as circuits:
        svc = circuits.breaker("svc", CircuitPolicy(min_samples=10, window_s=30.0, recovery_timeout_s=60.0))
        while svc.shared_state != "fresh":
            await asyncio.sleep(0.01)
        for _ in range(failures):
            svc.admit().permit.failed()
        return svc.state

print(json.dumps(asyncio.run(main(*given))))
"""
)


async def test_the_updated_replica_and_one_of_0_1_0_keep_sharing_the_circuit(
    redis_server: RedisProcess, version_0_1_0: Version010
) -> None:
    policy = CircuitPolicy(min_samples=10, window_s=30.0, recovery_timeout_s=60.0)
    async with CircuitRegistry.connect(redis_server.url, namespace="shop", replica="new") as circuits:
        svc = circuits.breaker("svc", policy)
        await until(lambda: svc.shared_state == "fresh")
        for _ in range(3):
            svc.admit().permit.failed()  # type: ignore[union-attr]  # closed
        assert await asyncio.to_thread(version_0_1_0.run, OLD_REPLICA, redis_server.url, 3) == "closed"
        assert svc.state is CircuitState.CLOSED

        changed = CircuitPolicy(min_samples=7, window_s=60.0, recovery_timeout_s=60.0)
        assert circuits.update("svc", changed) is svc
        svc.admit().permit.failed()  # type: ignore[union-attr]  # the seventh, by the new policy enough
        await until(lambda: circuits.snapshot()[0].state is CircuitState.OPEN and not svc.admit().permitted)
        report = (await circuits.circuits())[0]
        assert (report.state, report.reason) == (CircuitState.OPEN, "7 of 7 failed, 0 slow")
        assert await asyncio.to_thread(version_0_1_0.run, OLD_REPLICA, redis_server.url, 0) == "open"
