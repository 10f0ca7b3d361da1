"""The log of changes: what a poll reads instead of every circuit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis as sync_redis

from ha_rag.circuit.state import OverrideMode
from ha_rag.ledger.store.change_log import AT_ONCE
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import ChangeLog, Ledger, LoggedChange
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import terms
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess

KEY = Keys("ha_rag").change_log


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.real_redis)])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    server: RedisProcess = request.getfixturevalue("redis_server")
    shared = RedisLedger(connect(server.url, timeout_s=REPLY_S))
    yield shared
    await shared.aclose()


@pytest.fixture
async def redis_ledger(redis_server: RedisProcess) -> AsyncIterator[RedisLedger]:
    ledger = RedisLedger(connect(redis_server.url, timeout_s=REPLY_S))
    yield ledger
    await ledger.aclose()


async def forced(ledger: Ledger, circuit: str) -> int:
    """Changes a circuit. Returns its new epoch."""
    return (await ledger.override(circuit, terms(), OverrideMode.OPEN, "test", "me", None)).snapshot.epoch


async def polled(ledger: Ledger, cursor: str | None) -> ChangeLog:
    log = await ledger.change_log(cursor)
    assert log is not None
    return log


async def test_a_poll_tells_every_change_since_the_one_before_once_and_in_order(ledger: Ledger) -> None:
    first = await polled(ledger, None)
    epochs = [await forced(ledger, name) for name in ("a", "host:443", "a")]
    log = await polled(ledger, first.cursor)
    assert log.changes == (
        LoggedChange("a", 0, epochs[0]),
        LoggedChange("host:443", 0, epochs[1]),
        LoggedChange("a", epochs[0], epochs[2]),
    )
    assert (log.gap, log.more) == (False, False)
    assert (await polled(ledger, log.cursor)).changes == ()


async def test_the_first_poll_tells_nothing_and_that_something_may_be_missing(ledger: Ledger) -> None:
    await forced(ledger, "a")
    first = await polled(ledger, None)
    assert (first.changes, first.gap) == ((), True)
    assert (await polled(ledger, first.cursor)).changes == ()


async def test_reading_a_circuit_is_no_change(ledger: Ledger) -> None:
    first = await polled(ledger, None)
    await ledger.read({"a": terms()})
    assert (await polled(ledger, first.cursor)).changes == ()


async def test_a_log_of_any_length_is_read_in_parts(redis_ledger: RedisLedger) -> None:
    await forced(redis_ledger, "a")
    cursor = (await polled(redis_ledger, None)).cursor
    for _ in range(AT_ONCE + 5):
        await forced(redis_ledger, "a")
    first = await polled(redis_ledger, cursor)
    rest = await polled(redis_ledger, first.cursor)
    assert (first.more, rest.more) == (True, False)
    assert len(first.changes) + len(rest.changes) == AT_ONCE + 5


@pytest.mark.parametrize("how", ["flushed", "trimmed"])
async def test_a_log_that_lost_entries_says_so(how: str, redis_ledger: RedisLedger, redis_server: RedisProcess) -> None:
    await forced(redis_ledger, "a")
    cursor = (await polled(redis_ledger, None)).cursor
    with sync_redis.Redis.from_url(redis_server.url) as admin:
        if how == "flushed":
            admin.flushall()
        await forced(redis_ledger, "b")
        if how == "trimmed":
            admin.xtrim(KEY, maxlen=1, approximate=False)
    log = await polled(redis_ledger, cursor)
    assert log.gap
    assert not (await polled(redis_ledger, log.cursor)).gap


@pytest.mark.parametrize(
    "entry", [{"x": "1"}, {"circuit": "a{b", "previous_epoch": "0", "epoch": "1"}, {"circuit": "a"}]
)
async def test_an_entry_of_another_client_is_ignored(
    entry: dict[Any, Any], redis_ledger: RedisLedger, redis_server: RedisProcess
) -> None:
    cursor = (await polled(redis_ledger, None)).cursor
    with sync_redis.Redis.from_url(redis_server.url) as admin:
        admin.xadd(KEY, entry)
    epoch = await forced(redis_ledger, "a")
    assert (await polled(redis_ledger, cursor)).changes == (LoggedChange("a", 0, epoch),)


async def test_the_log_is_complete_only_while_every_live_replica_writes_it(
    redis_ledger: RedisLedger, redis_server: RedisProcess
) -> None:
    await redis_ledger.beat("new~1", "{}", [], 60_000)
    assert (await polled(redis_ledger, None)).complete
    with sync_redis.Redis.from_url(redis_server.url) as admin:
        seconds, micros = admin.time()
        admin.zadd(Keys("ha_rag").replicas, {"old~1": int(seconds) * 1000 + int(micros) // 1000})  # as 0.1.0 does
        await redis_ledger.beat("new~1", "{}", [], 60_000)
        assert not (await polled(redis_ledger, None)).complete
        admin.zrem(Keys("ha_rag").replicas, "old~1")
    await redis_ledger.beat("new~1", "{}", [], 60_000)
    assert (await polled(redis_ledger, None)).complete


async def test_a_replica_that_may_not_write_the_log_does_not_say_that_it_does(redis_server: RedisProcess) -> None:
    with sync_redis.Redis.from_url(redis_server.url) as admin:
        admin.acl_setuser("mute", enabled=True, reset=True, nopass=True, keys=["ha_rag:*"], channels=["*"],
                          commands=["+@all", "-xadd"])  # fmt: skip
    mute = RedisLedger(connect(redis_server.url.replace("://", "://mute:x@"), timeout_s=REPLY_S))
    await forced(mute, "a")
    await mute.beat("mute~1", "{}", [], 60_000)
    assert not (await polled(mute, None)).complete
    await mute.aclose()


async def test_a_removed_circuit_leaves_nothing_and_is_not_listed(ledger: Ledger) -> None:
    await ledger.beat("a~1", "{}", ["host:443", "other"], 60_000)
    await forced(ledger, "host:443")
    await ledger.remove("host:443")
    assert await ledger.known_circuits() == ["other"]
    assert (await ledger.read({"host:443": terms()}))["host:443"].snapshot.epoch == 0
    assert await ledger.events("host:443") == []


async def test_a_removed_circuit_has_no_key_in_redis(redis_ledger: RedisLedger, redis_server: RedisProcess) -> None:
    await forced(redis_ledger, "host:443")
    await redis_ledger.remove("host:443")
    with sync_redis.Redis.from_url(redis_server.url, decode_responses=True) as admin:
        assert set(admin.keys("*")) == {KEY}
