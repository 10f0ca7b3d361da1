"""Whether Redis takes verbs again after it refused some: a replica finds out by itself, also without calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import redis as sync_redis

from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError, ServiceError
from ha_rag.events import LedgerBack, LedgerLost
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.permissions import acl_rules
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.sync.pace import READS_PER_S, TRIALS, Pace
from tests.ledger.bench import terms
from tests.ledger.simulated_fleet import QUICK, Fleet, Member
from tests.ledger.virtual_ledgers import VirtualRedisLedger
from tests.patient_replicas import REPLY_S
from tests.ports import free_port
from tests.redis_servers import RedisProcess

NAME = "embedder.primary"
TERMS = terms(open_ms=60_000)

WRITES = ("set", "pexpire", "del", "hset", "hdel", "zadd", "zrem")
"""Every command by which a verb changes a circuit; its stream and messages may be refused."""


# ---- what a trial is refused by, on real servers --------------------------------------------------------------------


@pytest.fixture
def admin(server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", *acl_rules("ha_rag").split())
        yield client
        client.execute_command("ACL", "DELUSER", "app")


@pytest.fixture
async def ledger(server: RedisProcess, admin: sync_redis.Redis) -> AsyncIterator[RedisLedger]:
    """A replica's, with the documented permissions."""
    made = RedisLedger(connect(server.url.replace("redis://", "redis://app:secret@"), timeout_s=REPLY_S))
    yield made
    await made.aclose()


def fill(admin: sync_redis.Redis) -> Callable[[], object]:
    admin.config_set("maxmemory", 1)
    return lambda: admin.config_set("maxmemory", 0)


def demote(admin: sync_redis.Redis) -> Callable[[], object]:
    admin.replicaof("127.0.0.1", str(free_port()))
    return lambda: admin.replicaof("NO", "ONE")


def deny(command: str) -> Callable[[sync_redis.Redis], Callable[[], object]]:
    def strike(admin: sync_redis.Redis) -> Callable[[], object]:
        admin.execute_command("ACL", "SETUSER", "app", f"-{command}")
        return lambda: admin.execute_command("ACL", "SETUSER", "app", f"+{command}")

    return strike


def deny_keys(admin: sync_redis.Redis) -> Callable[[], object]:
    admin.execute_command("ACL", "SETUSER", "app", "resetkeys", "~other:*")
    return lambda: admin.execute_command("ACL", "SETUSER", "app", "~ha_rag:*")


TROUBLES = {"full": fill, "read-only": demote, "keys": deny_keys, **{command: deny(command) for command in WRITES}}


@pytest.mark.real_redis
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_trial_is_refused_until_verbs_are_taken_again_and_leaves_no_key(
    trouble: str, ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    await ledger.trial(NAME, TERMS)
    mend = TROUBLES[trouble](admin)
    try:
        with pytest.raises(LedgerRefusedError):
            await ledger.trial(NAME, TERMS)
    finally:
        mend()
    assert admin.keys("*") == []
    await ledger.trial(NAME, TERMS)
    assert admin.keys("*") == []


@pytest.mark.real_redis
async def test_a_trial_of_a_circuit_that_no_replica_can_have_written_is_refused(
    ledger: RedisLedger, admin: sync_redis.Redis
) -> None:
    admin.hset(f"ha_rag:{{{NAME}}}:circuit", "epoch", str(2**60))
    with pytest.raises(LedgerRefusedError) as refused:
        await ledger.trial(NAME, TERMS)
    assert refused.value.code == "INVALID"


# ---- replicas in virtual time ---------------------------------------------------------------------------------------

AGAIN_S = 2.2
"""At most two intervals, and a poll's reply."""
DOWN = ServiceError("down", status=500)


@pytest.fixture(params=["memory", pytest.param("lua", marks=pytest.mark.real_redis)])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    if request.param == "memory":
        with Fleet(2, QUICK) as fleet:
            yield fleet
        return
    url = request.getfixturevalue("redis_server").url
    with (
        sync_redis.Redis.from_url(url, decode_responses=True) as client,
        Fleet(2, QUICK, ledger=lambda clock: VirtualRedisLedger(clock, client)) as fleet,
    ):
        yield fleet


async def answered() -> None: ...


def tries(member: Member) -> int:
    return member.wire.sent.count("trial")


async def refused_once(fleet: Fleet) -> None:
    """Every replica's verb was refused; then it is given no more calls."""
    for member in fleet.members:
        member.wire.readonly = True
        await member.call()
    await asyncio.sleep(0.5)
    assert [member.breaker.shared_state for member in fleet.members] == ["local", "local"]


def test_a_circuit_without_calls_is_shared_again_once_the_ledger_takes_verbs(fleet: Fleet) -> None:
    async def scenario() -> None:
        await refused_once(fleet)
        await asyncio.sleep(5 * QUICK.window_s)  # what was to be reported is too old by now
        assert all(member.breaker.shared_state == "local" for member in fleet.members)
        for member in fleet.members:
            member.wire.readonly = False
        await asyncio.sleep(AGAIN_S)
        assert [member.breaker.shared_state for member in fleet.members] == ["fresh", "fresh"]
        for member in fleet.members:
            told = [event.kind for event in member.events if isinstance(event, LedgerLost | LedgerBack)]
            assert told == ["LedgerLost", "LedgerBack"]

    fleet.run(scenario())


def test_an_open_circuit_is_shared_again_before_its_rest_is_over(fleet: Fleet) -> None:
    async def scenario() -> None:
        a, _ = fleet.members
        for _ in range(QUICK.min_samples):
            await a.call(DOWN)
        await asyncio.sleep(QUICK.recovery_timeout_s + 0.1)
        for member in fleet.members:
            member.wire.readonly = True
        await a.call(DOWN)  # a probe, alone
        await asyncio.sleep(0.5)
        a.wire.readonly = False
        await asyncio.sleep(AGAIN_S)
        assert a.breaker.shared_state == "fresh"

    fleet.run(scenario())


def test_nothing_is_tried_while_no_verb_is_refused(fleet: Fleet) -> None:
    async def scenario() -> None:
        await fleet.traffic(3.0)
        fleet.members[0].wire.cut()
        await asyncio.sleep(3.0)
        fleet.members[0].wire.heal()
        await asyncio.sleep(3.0)
        assert [tries(member) for member in fleet.members] == [0, 0]

    fleet.run(scenario())


def test_a_ledger_that_goes_on_refusing_is_tried_once_a_second_for_a_circuit(fleet: Fleet) -> None:
    async def scenario() -> None:
        await refused_once(fleet)
        before = [tries(member) for member in fleet.members]
        await asyncio.sleep(20)
        assert all(17 <= tries(m) - number <= 23 for m, number in zip(fleet.members, before, strict=True))

    fleet.run(scenario())


def test_many_refused_circuits_are_tried_a_few_at_a_time_and_all_shared_again_at_once(fleet: Fleet) -> None:
    async def scenario() -> None:
        a, _ = fleet.members
        others = [a.registry.breaker(f"svc{number}", QUICK) for number in range(30)]
        a.wire.readonly = True
        for breaker in others:
            await breaker.call(answered)
        await asyncio.sleep(2 * QUICK.window_s)  # the reports have been given up
        before, began_s = tries(a), fleet.now_s
        await asyncio.sleep(10)
        assert TRIALS * 8 <= tries(a) - before <= TRIALS * (fleet.now_s - began_s) / 0.9
        a.wire.readonly = False
        await asyncio.sleep(AGAIN_S)
        assert {breaker.shared_state for breaker in others} == {"fresh"}

    fleet.run(scenario())


def test_a_ledger_that_does_not_answer_a_trial_is_unreachable_as_for_any_verb(fleet: Fleet) -> None:
    async def scenario() -> None:
        a, _ = fleet.members
        await refused_once(fleet)
        for verb in ("trial", "read", "beat", "change_log"):
            a.wire.failing[verb] = LedgerUnavailableError("nothing heard")
        await asyncio.sleep(3)
        assert not a.registry._sync.link.up  # type: ignore[union-attr]  # it has joined
        number = tries(a)
        await asyncio.sleep(3)
        assert tries(a) == number, "the poll finds out when it answers again"
        a.wire.heal()
        await asyncio.sleep(3)
        assert a.breaker.shared_state == "fresh"

    fleet.run(scenario())


def test_a_large_fleet_tries_less_often() -> None:
    assert Pace(1, 1).trial_s == Pace(50, 1).trial_s == 1.0
    assert TRIALS * 1000 / Pace(1000, 1).trial_s <= READS_PER_S
