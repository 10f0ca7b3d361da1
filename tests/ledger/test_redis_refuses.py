"""A Redis that answers with errors, loses scripts or data, or denies permissions: on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis
from redis.exceptions import NoScriptError

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError, ServiceError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.outcomes import Outcome
from tests.ledger.bench import terms
from tests.ledger.openings import half_open_next
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, QUICK, SVC, Fleet, Member
from tests.ledger.virtual_ledgers import VirtualRedisLedger
from tests.patient_replicas import REPLY_S
from tests.ports import free_port
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

NAME = "embedder.primary"
TERMS = terms(open_ms=60_000)


@pytest.fixture
def admin(server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
async def ledger(server: RedisProcess) -> AsyncIterator[RedisLedger]:
    made = RedisLedger(connect(server.url, timeout_s=REPLY_S))
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
        await ledger.restore(NAME, TERMS, "a", reply.snapshot.restore_point())
        admin.script_flush()


async def test_a_script_is_sent_in_full_once_and_by_its_hash_after_that(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    client = connect(server.url, timeout_s=REPLY_S)
    ledger = RedisLedger(client)
    admin.config_resetstat()
    for number in range(1, 6):
        await fail(ledger, number)
    await ledger.aclose()
    called = server.commands()
    assert (called["eval"], called["evalsha"]) == (2, 13)


class KeepsNothing:
    """A client whose server loses every script before its hash is used."""

    def __init__(self, client: Any, admin: sync_redis.Redis) -> None:
        self._client, self._admin = client, admin
        self.eval = client.eval

    async def evalsha(self, *args: Any) -> Any:
        self._admin.script_flush()
        return await self._client.evalsha(*args)


async def test_a_server_that_keeps_losing_its_scripts_costs_two_commands_per_call_and_answers_each(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    client: Any = connect(server.url, timeout_s=REPLY_S)
    forgetful: Any = KeepsNothing(client, admin)
    ledger = RedisLedger(forgetful)
    await now(ledger)
    admin.config_resetstat()
    for _ in range(5):
        await now(ledger)
    called = server.commands()
    assert (called["eval"], called["evalsha"]) == (5, 5)
    await client.aclose()


class AnswersNoScript:
    """A client whose server runs one script, and then caches none."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked = 0

    async def eval(self, *args: Any) -> Any:
        return await (self.evalsha() if self.asked else self._first(*args))

    async def _first(self, *args: Any) -> Any:
        self.asked += 1
        return await self._client.eval(*args)

    async def evalsha(self, *_: Any) -> Any:
        self.asked += 1
        raise NoScriptError("No matching script. Please use EVAL.")


async def test_a_server_that_never_caches_scripts_gets_two_commands_per_call_and_no_more(server: RedisProcess) -> None:
    client: Any = connect(server.url, timeout_s=REPLY_S)
    forgetful: Any = AnswersNoScript(client)
    ledger = RedisLedger(forgetful)
    await now(ledger)
    with pytest.raises(LedgerRefusedError):
        await now(ledger)
    assert forgetful.asked == 1 + 2
    await client.aclose()


async def test_after_flushall_the_ledger_reads_empty_and_accepts_a_restore(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    opened = (await fail(ledger)).snapshot
    admin.flushall()
    assert (await ledger.read({NAME: TERMS}))[NAME].snapshot.epoch == 0
    restored = (await ledger.restore(NAME, TERMS, "a", opened.restore_point())).snapshot
    assert (restored.state, restored.epoch > opened.epoch) == ("open", True)


@pytest.fixture
def read_only(admin: sync_redis.Redis) -> Iterator[None]:
    admin.config_set("replica-serve-stale-data", "yes")
    admin.replicaof("127.0.0.1", str(free_port()))
    yield
    admin.replicaof("NO", "ONE")


@pytest.mark.usefixtures("read_only")
async def test_a_read_only_replica_refuses_with_its_error_code_and_still_reads(ledger: RedisLedger) -> None:
    assert (await ledger.read({NAME: TERMS}))[NAME].snapshot.epoch == 0
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    assert refused.value.code == "READONLY"


async def test_after_readonly_the_connection_is_closed_so_that_the_master_is_looked_up_again(
    server: RedisProcess, admin: sync_redis.Redis, read_only: None
) -> None:
    client: Any = connect(server.url, timeout_s=REPLY_S)
    ledger = RedisLedger(client)
    await now(ledger)
    under_way = await client.connection_pool.get_connection()
    await now(ledger)
    before = client.connection_pool._available_connections[0]
    assert before.is_connected
    with pytest.raises(LedgerRefusedError):
        await ledger.override(NAME, TERMS, OverrideMode.SHADOW, "why", "kim", None)
    assert not before.is_connected
    assert under_way.is_connected  # commands in flight still get their replies
    await client.connection_pool.release(under_way)
    await ledger.aclose()


@pytest.fixture
def full(admin: sync_redis.Redis) -> Iterator[None]:
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1mb")
    yield
    admin.config_set("maxmemory", "0")


@pytest.mark.usefixtures("full")
async def test_a_full_redis_refuses_with_its_error_code_and_changes_nothing(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    with pytest.raises(LedgerRefusedError) as refused:
        await ledger.override(NAME, TERMS, OverrideMode.OPEN, "why", "kim", None)
    assert refused.value.code == "OOM"
    assert admin.keys("*") == []


def login(server: RedisProcess, admin: sync_redis.Redis, *rules: str) -> RedisLedger:
    basis = ("reset", "resetchannels", "on", ">secret", "~ha_rag:*", "+@all")
    admin.execute_command("ACL", "SETUSER", "app", *basis, *rules)
    return RedisLedger(connect(server.url.replace("redis://", "redis://app:secret@"), timeout_s=REPLY_S))


@pytest.mark.parametrize(
    "missing", [("&*", "-xadd"), ("&*", "-publish"), ("&*", "-xadd", "-publish"), ("-xadd", "&other"), ("&other",)]
)
async def test_a_user_without_permission_to_publish_still_opens_the_circuit(
    missing: tuple[str, ...], server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ledger = login(server, admin, *missing)
    opened = await fail(ledger)
    again = (await ledger.read({NAME: TERMS}))[NAME]
    await ledger.aclose()
    assert (opened.snapshot.state, opened.unpublished) == ("open", True)
    assert again.snapshot.state == "open"


async def test_a_user_without_permission_to_run_scripts_is_refused_with_the_error_code(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ledger = login(server, admin, "-@scripting")
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    await ledger.aclose()
    assert refused.value.code == "NOPERM"


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_is_a_refusal_and_is_not_in_the_message(
    password: str, server: RedisProcess, admin: sync_redis.Redis
) -> None:
    admin.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "&*", "+@all")
    ledger = RedisLedger(connect(server.url.replace("redis://", f"redis://app:{password}@"), timeout_s=REPLY_S))
    with pytest.raises(LedgerRefusedError) as refused:
        await now(ledger)
    await ledger.aclose()
    assert refused.value.code in {"WRONGPASS", "NOAUTH"}
    assert "wrong " not in str(refused.value)


async def test_a_foreign_value_in_one_of_our_keys_is_a_refusal(ledger: RedisLedger, admin: sync_redis.Redis) -> None:
    admin.set(f"ha_rag:{{{NAME}}}:window", "not ours")
    with pytest.raises(LedgerRefusedError) as refused:
        await fail(ledger)
    assert refused.value.code == "INVALID"


async def test_a_redis_that_is_stopped_or_frozen_is_unavailable(tmp_path: Path, server: RedisProcess) -> None:
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


# ---- replicas over the real Lua, in virtual time, whose connections refuse writes ------------------------------------

DOWN = ServiceError("down", status=500)


@pytest.fixture
def fleet(admin: sync_redis.Redis) -> Iterator[Fleet]:
    with Fleet(2, QUICK, ledger=lambda clock: VirtualRedisLedger(clock, admin)) as fleet:
        yield fleet


def read_only_from_now_on(fleet: Fleet, *, readonly: bool = True) -> None:
    for member in fleet.members:
        member.wire.readonly = readonly


async def probes_alone(member: Member, times: int) -> None:
    for _ in range(times):
        call = await member.begin()
        assert call is not None
        assert call.local
        member.end(call)
        await member.fleet.settled(call)


async def shared_again(fleet: Fleet) -> None:
    """The failures of one replica open the circuit for all."""
    await asyncio.sleep(QUICK.window_s)
    for _ in range(QUICK.min_samples):
        await fleet.members[0].call(DOWN)
    await asyncio.sleep(0.05)
    assert {m.state for m in fleet.members} == {OPEN}
    assert fleet.ledger.circuit(SVC).state is OPEN


def test_a_replica_whose_reports_are_refused_opens_probes_and_closes_locally_and_shares_again_afterwards(
    fleet: Fleet,
) -> None:
    a, b = fleet.members

    async def scenario() -> None:
        read_only_from_now_on(fleet)
        for _ in range(QUICK.min_samples):
            await a.call(DOWN)
        await asyncio.sleep(0.2)
        assert (a.state, a.view.ledger_unreachable) == (OPEN, True)
        assert (b.state, b.view.ledger_unreachable) == (CLOSED, False)
        await asyncio.sleep(QUICK.recovery_timeout_s)
        assert a.state is HALF_OPEN
        await probes_alone(a, QUICK.probe_successes)
        assert a.state is CLOSED
        assert fleet.ledger.circuit(SVC).epoch == 0
        read_only_from_now_on(fleet, readonly=False)
        await fleet.traffic(1.3)
        assert not a.view.ledger_unreachable
        await shared_again(fleet)

    fleet.run(scenario())


def test_a_circuit_that_opened_before_redis_refused_is_closed_locally_by_each_replica_and_by_fleet_probes_afterwards(
    fleet: Fleet,
) -> None:
    """If a refused verb did not make the ledger unreachable, no probe would be granted: the circuit would stay open."""

    async def scenario() -> None:
        await half_open_next(fleet)
        fleet.down = False
        read_only_from_now_on(fleet)
        await fleet.closes(within_s=1.0)
        assert fleet.ledger.circuit(SVC).state is OPEN
        assert all(m.view.ledger_unreachable for m in fleet.members)
        read_only_from_now_on(fleet, readonly=False)
        await fleet.traffic(3.0)
        assert not any(m.view.ledger_unreachable for m in fleet.members)
        assert fleet.ledger.circuit(SVC).state is CLOSED
        await shared_again(fleet)

    fleet.run(scenario())
