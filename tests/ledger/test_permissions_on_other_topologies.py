"""The permissions in docs/security.md for another database and for a cluster are sufficient, and each is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.errors import LedgerError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.documented import cluster_rules, database_rules, replica_rules
from tests.ledger.guarded import AGES, admin, denied, program
from tests.ledger.test_other_topologies import everything_works
from tests.patient_replicas import REPLY_S
from tests.ports import free_port_with_bus
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis
GOOD = [("ok", "reachable, with all required permissions", "")]


def user(server: RedisProcess, *rules: str) -> str:
    """Creates a user with only a replica's permissions and these; returns credentials and port as in a URL."""
    with admin(server) as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", *replica_rules(), *rules)
    return f"app:secret@127.0.0.1:{server.port}"


async def works(url: str) -> None:
    ledger = RedisLedger(connect(url, timeout_s=REPLY_S))
    try:
        await everything_works(ledger)
    finally:
        await ledger.aclose()


@pytest.fixture(params=AGES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path, binary=program(request))
    process.start()
    yield process
    process.kill()


async def test_another_database_serves_every_verb_with_exactly_the_documented_permissions(server: RedisProcess) -> None:
    url = f"redis://{user(server, *database_rules())}/1"
    await works(url)
    assert await try_redis(url, "ha_rag") == GOOD
    assert denied(server) == set()
    with admin(server) as client:
        assert list(client.info("keyspace")) == ["db1"]


@pytest.mark.parametrize("right", database_rules())
async def test_a_permission_that_another_database_needs_is_named_if_it_is_missing(
    right: str, server: RedisProcess
) -> None:
    rules = [rule for rule in database_rules() if rule != right]
    await is_named(right, f"redis://{user(server, *rules)}/1")


async def is_named(right: str, url: str) -> None:
    """The ledger does not work, and a check names the reason."""
    with pytest.raises(LedgerError):
        await works(url)
    ((verdict, text, repair),) = await try_redis(url, "ha_rag")
    command = right.removeprefix("+")
    names = {command, command.partition("|")[0]}  # Redis 6.2 does not name the subcommand
    assert verdict == "problem"
    assert text in {f"the user app may not use {name.upper()}" for name in names}
    assert any(repair.startswith(f"run on the server: ACL SETUSER app +{name} ") for name in names)


@pytest.fixture(params=AGES)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisProcess]:
    """A cluster of one node that owns every slot."""
    binary = program(request)
    node = RedisProcess(tmp_path, binary=binary, options=("--cluster-enabled", "yes"), port=free_port_with_bus())
    node.start()
    with admin(node) as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16384))
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            pass  # each read is a round trip
    yield node
    node.kill()


async def test_a_cluster_serves_every_verb_with_exactly_the_documented_permissions(cluster: RedisProcess) -> None:
    url = f"redis+cluster://{user(cluster, *cluster_rules())}"
    await works(url)
    assert await try_redis(url, "ha_rag") == GOOD
    assert denied(cluster) == set()


@pytest.mark.parametrize("right", cluster_rules())
async def test_a_permission_that_a_cluster_needs_is_named_if_it_is_missing(right: str, cluster: RedisProcess) -> None:
    rules = [rule for rule in cluster_rules() if rule != right]
    await is_named(right, f"redis+cluster://{user(cluster, *rules)}")


async def test_a_server_that_is_not_a_cluster_is_distinguished_from_missing_permissions(
    server: RedisProcess,
) -> None:
    url = f"redis+cluster://{user(server, *cluster_rules())}"
    assert await try_redis(url, "ha_rag") == [("problem", "is not a cluster", "write its URL without +cluster")]
