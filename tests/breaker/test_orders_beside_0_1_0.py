"""An order over a circuit that each replica has for itself, while a replica of 0.1.0 is still in the fleet."""

from __future__ import annotations

import asyncio

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import ReplicaReport
from ha_rag.breaker.told_by_replicas import StateThere
from ha_rag.monitor.warnings import fleet_warnings
from tests.patient_replicas import IN_A_PROGRAM_OF_0_1_0
from tests.version_0_1_0 import Version010
from tests.waiting import PATIENCE_S

DISK = "retriever.primary"

PROGRAM = (
    IN_A_PROGRAM_OF_0_1_0
    + """
import asyncio
from ha_rag import CircuitRegistry

async def main():
    async with CircuitRegistry.connect(given[0], replica="old") as circuits:
        disk = circuits.breaker("retriever.primary", scope="replica")
        states = [disk.state]
        async with asyncio.timeout(90):
            while len(states) < 3:
                if disk.state != states[-1]:
                    states.append(disk.state)
                await asyncio.sleep(0.005)
    print(json.dumps(states))

asyncio.run(main())
"""
)


async def replicas(circuits: CircuitRegistry) -> tuple[ReplicaReport, ...]:
    return (await circuits.fleet()).replicas


async def differing(circuits: CircuitRegistry) -> list[StateThere]:
    return [there for circuit in await circuits.circuits() if circuit.name == DISK for there in circuit.differing]


async def test_it_obeys_what_is_pushed_cannot_confirm_it_and_is_left_closed(
    any_redis_url: str, version_0_1_0: Version010
) -> None:
    async with CircuitRegistry.connect(any_redis_url, replica="new") as circuits:
        circuits.breaker(DISK, scope="replica")
        old = asyncio.create_task(asyncio.to_thread(version_0_1_0.run, PROGRAM, any_redis_url))
        async with asyncio.timeout(PATIENCE_S):
            while not any(replica.name == "old" and replica.told["circuits"] for replica in await replicas(circuits)):
                pass
        ordered = await circuits.override(DISK, "open", reason="new disk", by="kim")
        listed = await circuits.circuits()
        warnings = fleet_warnings(await replicas(circuits), listed)
        async with asyncio.timeout(PATIENCE_S):
            while await differing(circuits):  # until the old replica's heartbeat has it open
                pass
        ended = await circuits.end_override(DISK, by="kim")
        states = await old
    assert (ordered.state, ordered.unconfirmed) == ("open", 1)
    assert warnings == [
        f"circuit {DISK} is overridden in every replica, but old cannot confirm it: "
        "version 0.1.0 follows such an override only until it restarts"
    ]
    assert (ended.override, ended.unconfirmed) == (None, 0)
    assert states == ["closed", "open", "closed"]
