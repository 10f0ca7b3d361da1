"""The ledger on a cluster, with a sentinel, and on a fake Redis served by another process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis
from redis.asyncio import RedisCluster
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.errors import LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import RedisBench, terms
from tests.patient_replicas import REPLY_S
from tests.ports import free_port
from tests.redis_servers import RedisProcess, fake_redis, redis_binary
from tests.waiting import PATIENCE_S

REST_MS = 60_000
TERMS = terms(open_ms=REST_MS)
NAMES = ["embedder.primary", "generator.primary", "retriever.primary"]


async def everything_works(ledger: RedisLedger) -> None:
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        assert await anext(changes) is None
        for name in NAMES:
            now = (await ledger.read({name: TERMS}))[name].snapshot.now_ms
            await ledger.record(name, TERMS, Batch("a", 1, (Tally(0, now, Counts(0, 3)),)), 0.0)
        received = [await asyncio.wait_for(anext(changes), PATIENCE_S) for _ in NAMES]
    assert [change and change.circuit for change in received] == NAMES
    found = await ledger.read(dict.fromkeys(NAMES, TERMS))
    assert [reply.snapshot.state for reply in found.values()] == ["open"] * 3
    assert [e.after for e in await ledger.events(NAMES[0])] == ["open"]
    assert await ledger.beat("a-1", "{}", NAMES, 60_000) == 1
    assert await ledger.beat("b-1", "{}", [], 60_000) == 2
    assert sorted(b.incarnation for b in await ledger.replicas()) == ["a-1", "b-1"]
    assert await ledger.known_circuits() == sorted(NAMES)
    await ledger.leave("b-1")
    await ledger.leave("a-1")
    assert await ledger.replicas() == []


def cluster_node(folder: Path, bus: int) -> RedisProcess:
    """A node that belongs to no cluster yet. `bus`: the port for traffic between nodes."""
    folder.mkdir()
    options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-announce-ip", "127.0.0.1")
    node = RedisProcess(folder, options=options)
    node.start()
    return node


@pytest.fixture
def cluster(tmp_path: Path, redis_server: RedisProcess) -> Iterator[RedisProcess]:
    """A cluster of one node that owns every slot; like any cluster it refuses commands across slots."""
    del redis_server  # only requested so that this skips, or fails, without a redis-server
    node = cluster_node(tmp_path / "first", free_port())
    with sync_redis.Redis.from_url(node.url, decode_responses=True) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert client.ping()
    yield node
    node.kill()


@pytest.mark.real_redis
@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_cluster_serves_every_verb(protocol: int, cluster: RedisProcess) -> None:
    ledger = RedisLedger(connect(f"redis+cluster://127.0.0.1:{cluster.port}", protocol=protocol, timeout_s=REPLY_S))
    await everything_works(ledger)
    await ledger.aclose()


PROVIDER = UsernamePasswordCredentialProvider("app", "changes")


@pytest.mark.real_redis
async def test_a_cluster_whose_password_comes_from_a_provider_serves_every_verb(cluster: RedisProcess) -> None:
    with decoded(cluster) as node:
        node.execute_command("ACL", "SETUSER", "app", "on", ">changes", "~*", "&*", "+@all")
        node.execute_command("ACL", "SETUSER", "default", "off")
    url = f"redis+cluster://127.0.0.1:{cluster.port}"
    ledger = RedisLedger(connect(url, timeout_s=REPLY_S, credential_provider=PROVIDER))
    await everything_works(ledger)
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_cluster_that_was_stopped_is_unavailable(cluster: RedisProcess) -> None:
    ledger = RedisLedger(connect(f"redis+cluster://127.0.0.1:{cluster.port}", timeout_s=0.5))
    await ledger.read({NAMES[0]: TERMS})
    cluster.kill()
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError):
            await ledger.read({NAMES[0]: TERMS})
    await ledger.aclose()


@pytest.fixture
def joining(tmp_path: Path, cluster: RedisProcess) -> Iterator[RedisProcess]:
    """A second node that has joined the cluster and owns no slot."""
    bus = free_port()
    node = cluster_node(tmp_path / "second", bus)
    with decoded(node) as second, decoded(cluster) as first:
        first.execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)
        while not all(is_whole(one) for one in (first, second)):
            assert second.ping()
    yield node
    node.kill()


def is_whole(node: Any) -> bool:
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "2"


def decoded(node: RedisProcess) -> Any:
    return sync_redis.Redis.from_url(node.url, decode_responses=True)


@pytest.mark.real_redis
async def test_a_slot_that_moves_to_an_unknown_node_makes_only_its_circuit_unavailable_until_it_arrives(
    cluster: RedisProcess, joining: RedisProcess
) -> None:
    ledger = RedisLedger(connect(f"redis+cluster://127.0.0.1:{cluster.port}", timeout_s=REPLY_S))
    await ledger.read(dict.fromkeys(NAMES, TERMS))
    with decoded(cluster) as here, decoded(joining) as there:
        slot = here.execute_command("CLUSTER KEYSLOT", Keys("ha_rag").circuit(NAMES[1])[0])
        target, source = (node.execute_command("CLUSTER MYID") for node in (there, here))
        there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source)
        here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target)
        with pytest.raises(ShardUnavailableError):
            await ledger.record(NAMES[1], TERMS, Batch("a", 1), 0.0)
        assert list(await ledger.read(dict.fromkeys(NAMES, TERMS))) == [NAMES[0], NAMES[2]]
        for node in (there, here):
            node.execute_command("CLUSTER SETSLOT", slot, "NODE", target)
    await ledger.record(NAMES[1], TERMS, Batch("a", 1), 0.0)
    assert list(await ledger.read(dict.fromkeys(NAMES, TERMS))) == NAMES
    await ledger.aclose()


class TwoNodes(RedisCluster):
    """A cluster whose nodes share one server. `dead`: substring of the keys of the node that does not answer."""

    def __init__(self, server: Any, dead: str = "") -> None:
        self.server, self.dead = server, dead
        self._initialize = True  # not connected: there is nothing to close

    async def eval(self, text: str, count: int, *items: Any) -> Any:
        if self.dead and any(self.dead in str(key) for key in items[:count]):
            raise RedisConnectionError("no route to the node")
        return await self.server.eval(text, count, *items)

    async def evalsha(self, sha: str, count: int, *items: Any) -> Any:
        raise NoScriptError(sha)


@pytest.mark.real_redis
async def test_on_a_cluster_an_unreachable_node_makes_only_its_own_circuits_unavailable(
    redis_bench: RedisBench,
) -> None:
    nodes = TwoNodes(redis_bench.client, dead=NAMES[1])
    ledger = RedisLedger(nodes, redis_bench.namespace)
    assert list(await ledger.read(dict.fromkeys(NAMES, TERMS))) == [NAMES[0], NAMES[2]]
    with pytest.raises(ShardUnavailableError, match="no route"):
        await ledger.lease(NAMES[1], TERMS, "a", 0, "t1")
    nodes.dead = ""
    assert list(await ledger.read(dict.fromkeys(NAMES, TERMS))) == NAMES


@pytest.mark.real_redis
async def test_a_cluster_without_a_reachable_node_is_unavailable(redis_bench: RedisBench) -> None:
    ledger = RedisLedger(TwoNodes(redis_bench.client, dead="primary"), redis_bench.namespace)
    with pytest.raises(LedgerUnavailableError, match="no route"):
        await ledger.read(dict.fromkeys(NAMES, TERMS))


@pytest.fixture
def sentinel(tmp_path: Path, redis_server: RedisProcess, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a sentinel that watches the session's server; its parameter is the password it requires."""
    port, file = free_port(), tmp_path / "sentinel.conf"
    asks = f"requirepass {request.param}\n" if hasattr(request, "param") else ""
    file.write_text(f"port {port}\nbind 127.0.0.1\n{asks}sentinel monitor mine 127.0.0.1 {redis_server.port} 1\n")
    binary = redis_binary() or "redis-server"
    process = subprocess.Popen([binary, str(file), "--sentinel"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "+monitor" not in process.stdout.readline():
        assert process.poll() is None
    yield port
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.real_redis
async def test_a_provider_gives_the_password_of_a_sentinels_master(sentinel: int, redis_server: RedisProcess) -> None:
    with decoded(redis_server) as master:
        master.execute_command("ACL", "SETUSER", "app", "on", ">changes", "~*", "&*", "+@all")
        url = f"redis+sentinel://127.0.0.1:{sentinel}/mine"
        ledger = RedisLedger(connect(url, timeout_s=REPLY_S, credential_provider=PROVIDER))
        try:
            await everything_works(ledger)
            assert "app" in {client["user"] for client in master.client_list()}
        finally:
            await ledger.aclose()
            master.execute_command("ACL", "DELUSER", "app")


@pytest.mark.real_redis
@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_sentinel_names_the_master(protocol: int, sentinel: int) -> None:
    ledger = RedisLedger(connect(f"redis+sentinel://127.0.0.1:{sentinel}/mine", protocol=protocol, timeout_s=REPLY_S))
    await everything_works(ledger)
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_sentinel_that_does_not_know_the_service_is_unavailable(sentinel: int) -> None:
    ledger = RedisLedger(connect(f"redis+sentinel://127.0.0.1:{sentinel}/other", timeout_s=REPLY_S))
    with pytest.raises(LedgerUnavailableError):
        await ledger.read({NAMES[0]: TERMS})
    await ledger.aclose()


@pytest.mark.real_redis
@pytest.mark.parametrize("sentinel", ["secret"], indirect=True)
async def test_a_sentinel_that_requires_credentials_gets_them_from_the_url(sentinel: int) -> None:
    url = f"redis+sentinel://127.0.0.1:{sentinel}/mine"
    ledger = RedisLedger(connect(f"{url}?sentinel_password=secret", timeout_s=REPLY_S))
    await everything_works(ledger)
    await ledger.aclose()
    for wrong in (url, f"{url}?sentinel_password=wrong"):
        ((verdict, text, repair),) = await try_redis(wrong, "ha_rag")
        assert (verdict, text.startswith("the sentinels know no master")) == ("problem", True)
        assert "sentinel_password" in repair


OTHER_PROCESS = """
import asyncio, sys
from ha_rag.circuit.state import OverrideMode
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import RedisBench, terms

async def main():
    ledger = RedisLedger(connect(sys.argv[1], timeout_s=30.0))
    reply = await ledger.override("embedder.primary", terms(), OverrideMode.OPEN, "why", "other process", None)
    await ledger.aclose()
    print(reply.snapshot.epoch)

asyncio.run(main())
"""


async def test_two_processes_share_the_state_of_the_fake_redis() -> None:
    with fake_redis() as url:
        client: Any = connect(url, timeout_s=REPLY_S)
        ledger = RedisLedger(client)
        async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
            await anext(changes)
            other = await asyncio.create_subprocess_exec(
                sys.executable, "-c", OTHER_PROCESS, url, stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
            )
            said, _ = await other.communicate()
            received = await asyncio.wait_for(anext(changes), PATIENCE_S)
        here = (await ledger.read({NAMES[0]: TERMS}))[NAMES[0]].snapshot
        await ledger.aclose()
    assert received is not None
    assert int(said) == received.snapshot.epoch == here.epoch
    assert here.override is not None
    assert (here.override.mode, here.override.by) == (OverrideMode.OPEN, "other process")
