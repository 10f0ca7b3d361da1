"""Under any order of crashes, losses, delays, duplicates, pauses, flushes and refusals, the invariants hold.

Real registries, views and syncs over one ledger; only the connections and the service are simulated, in virtual time.
Steps: `fleet_machine.py`; invariants: `fleet_watch.py` and `fleet_recovery.py`. `make test-deep` searches longer.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import require_redis_binary
from tests.depth import deep
from tests.ledger.fleet_machine import FleetMachine
from tests.ledger.openings import OPENINGS
from tests.ledger.virtual_ledgers import VirtualRedisLedger
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.timeout(600)  # a search only computes; how long that takes depends on what else runs


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_invariants_hold_for_any_sequence_of_faults(opening: str) -> None:
    machine = type(f"After_{opening}", (FleetMachine,), {"opening": opening})
    run_state_machine_as_test(machine, settings=deep(15, stateful_step_count=20))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    server = RedisProcess(tmp_path_factory.mktemp("redis"), binary=require_redis_binary())
    server.start()
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client
    server.kill()


@pytest.mark.real_redis
@pytest.mark.parametrize("opening", OPENINGS)
def test_the_invariants_hold_with_the_real_scripts_too(opening: str, client: redis.Redis) -> None:
    ledger = {"opening": opening, "ledger": staticmethod(lambda clock: VirtualRedisLedger(clock, client))}
    run_state_machine_as_test(
        type(f"LuaAfter_{opening}", (FleetMachine,), ledger), settings=deep(6, stateful_step_count=20)
    )
