"""Single keys that Redis evicts under memory pressure, and permissions that change under replicas in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis as sync_redis

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import CircuitOpenError, ServiceError
from ha_rag.ledger.store.keys import PARTS
from ha_rag.ledger.store.permissions import acl_rules
from tests.redis_servers import RedisProcess
from tests.waiting import until

pytestmark = pytest.mark.real_redis

SVC = "svc"
POLICY = CircuitPolicy(min_samples=3, window_s=1.0, recovery_timeout_s=0.5, probe_timeout_s=0.5, probe_successes=1)
CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


@pytest.fixture
def admin(own_redis_server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(own_redis_server.url, decode_responses=True) as client:
        yield client


class Pair:
    """Two replicas, and the service that they call. `well`: whether it answers."""

    def __init__(self, replicas: list[CircuitRegistry]) -> None:
        self.replicas = replicas
        self.well = True
        self.probed_open = 0

    async def serve(self) -> str:
        await asyncio.sleep(0)
        if not self.well:
            raise ServiceError("down", status=500)
        return "answered"

    async def call(self) -> list[str]:
        """One call of each replica: "answered", "refused" or "failed"."""
        return [await self._call(replica) for replica in self.replicas]

    async def _call(self, replica: CircuitRegistry) -> str:
        try:
            return await replica.breaker(SVC).call(self.serve)
        except CircuitOpenError:
            return "refused"
        except ServiceError:
            return "failed"

    def states(self) -> set[CircuitState]:
        """As each replica applies it to its own calls."""
        reports = [report for replica in self.replicas for report in replica.snapshot()]
        return {report.here.state if report.here is not None else report.state for report in reports}

    async def reaches(self, state: CircuitState) -> None:
        """Calls until the circuit has this state in every replica."""
        await self.until(lambda: self.states() == {state})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Calls until `condition` holds: some fifty times a second."""
        async with asyncio.timeout(20):
            while not condition():
                await self.call()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def pair(url: str) -> AsyncIterator[Pair]:
    async with CircuitRegistry.connect(url, replica="r1") as one, CircuitRegistry.connect(url, replica="r2") as two:
        for replica in (one, two):
            replica.breaker(SVC, policy=POLICY)
        yield Pair([one, two])


@pytest.mark.parametrize("part", [*PARTS, "change-log", "replicas", "circuits", "loggers"])
async def test_a_key_that_is_evicted_while_a_circuit_is_open_costs_no_answer_and_closes_nothing_without_a_probe(
    own_redis_server: RedisProcess, admin: sync_redis.Redis, part: str
) -> None:
    async with pair(own_redis_server.url) as fleet:
        await fleet.reaches(CLOSED)
        fleet.well = False
        await fleet.reaches(OPEN)
        admin.delete(f"ha_rag:{{{SVC}}}:{part}" if part in PARTS else f"ha_rag:{part}")
        async with asyncio.timeout(20):
            for _ in range(60):  # over several open durations
                assert "answered" not in await fleet.call()
                await asyncio.sleep(0.02)
        fleet.well = True
        await fleet.reaches(CLOSED)
        assert await fleet.call() == ["answered", "answered"]


async def test_under_memory_pressure_circuits_open_and_close_while_redis_evicts_whatever_has_a_ttl(
    own_redis_server: RedisProcess, admin: sync_redis.Redis
) -> None:
    async with pair(own_redis_server.url) as fleet:
        await fleet.reaches(CLOSED)
        used = int(admin.info("memory")["used_memory"])
        admin.config_set("maxmemory-policy", "volatile-ttl")
        admin.config_set("maxmemory", used + 1_500_000)
        before = int(admin.info("stats")["evicted_keys"])
        fleet.well = False
        for number in range(150):
            admin.set(f"ballast:{number}", "x" * 20_000, px=600_000)
            await fleet.call()
        await fleet.reaches(OPEN)
        assert int(admin.info("stats")["evicted_keys"]) > before
        fleet.well = True
        await fleet.reaches(CLOSED)
        health = await fleet.replicas[0].ledger.health() if fleet.replicas[0].ledger else None
        assert health is not None
        assert any("evict" in warning for warning in health.warnings)


CHANGES = {
    "no scripts": ["-eval", "-evalsha"],
    "no writes": ["-hset", "-zadd", "-set", "-xadd"],
    "no reads": ["-hgetall", "-zrange", "-mget", "-xrange", "-pttl"],
    "no messages": ["-publish", "-subscribe", "resetchannels"],
    "no keys": ["resetkeys"],
    "no commands": ["-@all"],
    "off": ["off"],
    "another password": ["resetpass", ">another"],
}


@pytest.mark.parametrize("rules", CHANGES.values(), ids=CHANGES.keys())
async def test_permissions_that_change_under_load_cost_no_answer_and_are_used_again_when_they_are_back(
    own_redis_server: RedisProcess, admin: sync_redis.Redis, rules: list[str]
) -> None:
    first = ["reset", "on", ">secret", *acl_rules("ha_rag").split()]
    admin.execute_command("ACL", "SETUSER", "app", *first)
    async with pair(own_redis_server.url.replace("redis://", "redis://app:secret@")) as fleet:
        await fleet.reaches(CLOSED)
        admin.execute_command("ACL", "SETUSER", "app", *rules)
        admin.execute_command("CLIENT", "KILL", "USER", "app")
        for _ in range(60):
            assert await fleet.call() == ["answered", "answered"]
            await asyncio.sleep(0.02)
        fleet.well = False
        await fleet.reaches(OPEN)  # by the fleet's rules, or by each replica's own
        fleet.well = True
        admin.execute_command("ACL", "SETUSER", "app", *first)
        await fleet.reaches(CLOSED)
        await fleet.until(lambda: all(replica.shared_state == "fresh" for replica in fleet.replicas))
        for replica in fleet.replicas:  # whether messages are allowed shows at the next change
            await replica.override(SVC, "shadow", reason="try", by="kim")
            await replica.end_override(SVC, by="kim")
        await until(lambda: not any(replica.limits for replica in fleet.replicas), within_s=20)
