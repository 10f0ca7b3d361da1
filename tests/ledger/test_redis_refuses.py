"""Redis that answers with errors, forgets its scripts or its data, or lets us do only half of it: on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.connection import connect
from ha_rag.ledger.redis import RedisLedger
from ha_rag.messages import Outcome
from tests.ledger.bench import terms
from tests.ports import free_port
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

NAME = "embedder.primary"
TERMS = terms(rest_ms=60_000)


@pytest.fixture(scope="module", params=["7", "6.2"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A server of this file's own, to be set read-only, full and strict; new and old."""
    if request.param == "6.2":
        yield request.getfixturevalue("old_redis_process")
        return
    request.getfixturevalue("_redis_process")  # skips or fails where there is none
    process = RedisProcess(tmp_path_factory.mktemp("refusing"))
    process.start()
    yield process
    process.kill()


@pytest.fixture
def admin(server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
async def ledger(server: RedisProcess) -> AsyncIterator[RedisLedger]:
    made = RedisLedger(connect(server.url, timeout_s=2.0))
    yield made
    await made.aclose()


async def now(ledger: RedisLedger) -> int:
    return (await ledger.read({NAME: TERMS}))[NAME].snapshot.now_ms


async def fail(ledger: RedisLedger, number: int = 1) -> Any:
    at = await now(ledger)
    epoch = (await ledger.read({NAME: TERMS}))[NAME].snapshot.epoch
    return await ledger.record(NAME, TERMS, Batch("a", number, (Tally(epoch, at, Counts(0, 3)),)), 0.0)


async def test_after_the_script_cache_was_flushed_the_next_call_of_every_verb_works(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    for _ in range(2):
        await fail(ledger)
        await ledger.lease(NAME, TERMS, "a", 0, "t")
        await ledger.settle(NAME, TERMS, "a", "t", Outcome.OK, 0, 0.0)
        reply = await ledger.override(NAME, TERMS, OverrideMode.SHADOW, "why", "kim", None)
        await ledger.teach(NAME, TERMS, "a", reply.snapshot.belief())
        admin.script_flush()


async def test_a_script_is_sent_whole_once_and_by_its_hash_from_then_on(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    client = connect(server.url, timeout_s=2.0)
    ledger = RedisLedger(client)
    admin.config_resetstat()
    for number in range(1, 6):
        await fail(ledger, number)
    await ledger.aclose()
    called = server.commands()
    assert (called["eval"], called["evalsha"]) == (2, 13)


async def test_after_flushall_the_ledger_reads_empty_and_takes_what_it_is_taught(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    opened = (await fail(ledger)).snapshot
    admin.flushall()
    assert (await ledger.read({NAME: TERMS}))[NAME].snapshot.epoch == 0
    taught = (await ledger.teach(NAME, TERMS, "a", opened.belief())).snapshot
    assert (taught.state, taught.epoch > opened.epoch) == ("open", True)


@pytest.fixture
def read_only(admin: sync_redis.Redis) -> Iterator[None]:
    admin.config_set("replica-serve-stale-data", "yes")
    admin.replicaof("127.0.0.1", str(free_port()))
    yield
    admin.replicaof("NO", "ONE")


@pytest.mark.usefixtures("read_only")
async def test_a_read_only_replica_refuses_with_its_code_and_still_reads(ledger: RedisLedger) -> None:
    assert (await ledger.read({NAME: TERMS}))[NAME].snapshot.epoch == 0
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    assert refused.value.code == "READONLY"


async def test_readonly_lets_the_connection_go_so_that_the_master_is_looked_up_again(
    server: RedisProcess, admin: sync_redis.Redis, read_only: None
) -> None:
    client: Any = connect(server.url, timeout_s=2.0)
    ledger = RedisLedger(client)
    await now(ledger)
    before = client.connection_pool._available_connections[0]
    assert before.is_connected
    with pytest.raises(LedgerRefusedError):
        await ledger.override(NAME, TERMS, OverrideMode.SHADOW, "why", "kim", None)
    assert not before.is_connected
    await ledger.aclose()


@pytest.fixture
def full(admin: sync_redis.Redis) -> Iterator[None]:
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1mb")
    yield
    admin.config_set("maxmemory", "0")


@pytest.mark.usefixtures("full")
async def test_a_full_redis_refuses_with_its_code_and_nothing_has_happened(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    with pytest.raises(LedgerRefusedError) as refused:
        await ledger.override(NAME, TERMS, OverrideMode.OPEN, "why", "kim", None)
    assert refused.value.code == "OOM"
    assert admin.keys("*") == []


def login(server: RedisProcess, admin: sync_redis.Redis, *rules: str) -> RedisLedger:
    basis = ("reset", "resetchannels", "on", ">secret", "~ha_rag:*", "+@all")
    admin.execute_command("ACL", "SETUSER", "app", *basis, *rules)
    return RedisLedger(connect(server.url.replace("redis://", "redis://app:secret@"), timeout_s=2.0))


@pytest.mark.parametrize(
    "missing", [("&*", "-xadd"), ("&*", "-publish"), ("&*", "-xadd", "-publish"), ("-xadd", "&other"), ("&other",)]
)
async def test_a_user_who_may_not_tell_still_opens_the_circuit(
    missing: tuple[str, ...], server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ledger = login(server, admin, *missing)
    opened = await fail(ledger)
    again = (await ledger.read({NAME: TERMS}))[NAME]
    await ledger.aclose()
    assert (opened.snapshot.state, opened.untold) == ("open", True)
    assert again.snapshot.state == "open"


async def test_a_user_who_may_not_run_scripts_is_refused_with_its_code(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ledger = login(server, admin, "-@scripting")
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    await ledger.aclose()
    assert refused.value.code == "NOPERM"


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_is_a_refusal_and_not_repeated_in_the_text(
    password: str, server: RedisProcess, admin: sync_redis.Redis
) -> None:
    admin.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "&*", "+@all")
    ledger = RedisLedger(connect(server.url.replace("redis://", f"redis://app:{password}@"), timeout_s=2.0))
    with pytest.raises(LedgerRefusedError) as refused:
        await now(ledger)
    await ledger.aclose()
    assert refused.value.code in {"WRONGPASS", "NOAUTH"}
    assert "wrong " not in str(refused.value)


async def test_a_foreign_value_at_one_of_our_keys_is_a_refusal(ledger: RedisLedger, admin: sync_redis.Redis) -> None:
    admin.set(f"ha_rag:{{{NAME}}}:window", "not ours")
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    assert refused.value.code == "WRONGTYPE"


async def test_a_redis_that_is_gone_or_frozen_is_unavailable(tmp_path: Path, server: RedisProcess) -> None:
    gone = RedisLedger(connect(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(LedgerUnavailableError):
        await now(gone)
    await gone.aclose()
    frozen = RedisLedger(connect(server.url, timeout_s=0.05))
    server.pause()
    try:
        with pytest.raises(LedgerUnavailableError):
            await now(frozen)
    finally:
        server.resume()
        await frozen.aclose()
