"""What alerters share in Redis: which incidents were told, who tells, how many messages, and who reads which event."""

from __future__ import annotations

import pytest

from ha_rag.circuit.state import OverrideMode
from ha_rag.ledger.store import alerts
from ha_rag.ledger.store.alerts import GROUP, KEPT_MS, RedisAlertStore
from ha_rag.ledger.store.ledger import StreamEntry
from tests.ledger.bench import RedisBench, terms
from tests.ledger.test_contract import NAME

OTHER = "embedder.primary"
AT_ONCE, NEVER = 0, 3_600_000
"""After which silence of its taker an event may be taken over, in ms."""


@pytest.fixture
def store(redis_bench: RedisBench) -> RedisAlertStore:
    return RedisAlertStore(redis_bench.client, redis_bench.namespace)


def another(bench: RedisBench) -> RedisAlertStore:
    """The same, as another process has it."""
    return RedisAlertStore(bench.client, bench.namespace)


async def happens(bench: RedisBench, *reasons: str, circuit: str = NAME) -> None:
    for reason in reasons:
        await bench.ledger.override(circuit, terms(), OverrideMode.SHADOW, reason, "kim", None)


def reasons(events: list[StreamEntry]) -> list[str]:
    return [event.reason.removeprefix("shadow: ") for event in events]


async def test_an_incident_is_known_to_all_until_it_is_over(store: RedisAlertStore, redis_bench: RedisBench) -> None:
    await store.record("svc open", "one")
    await store.record("svc2 open", "two")
    assert await another(redis_bench).open_incidents() == {"svc open": "one", "svc2 open": "two"}
    assert 0 < await redis_bench.client.pttl(store._keys.alerts) <= KEPT_MS
    await store.forget("svc open")
    assert await store.open_incidents() == {"svc2 open": "two"}


async def test_one_alerter_tells_an_incident_for_as_long_as_it_said(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    assert await store.claim("svc open", "a", 60_000)
    assert not await another(redis_bench).claim("svc open", "b", 60_000)
    assert await another(redis_bench).claim("svc2 open", "b", 60_000)
    assert 0 < await redis_bench.client.pttl(store._keys.alert_claim("svc open")) <= 60_000
    await store.release("svc open", "a")
    assert await another(redis_bench).claim("svc open", "b", 60_000)


async def test_who_was_slower_than_its_claim_ends_nobody_elses(store: RedisAlertStore, redis_bench: RedisBench) -> None:
    assert await another(redis_bench).claim("svc open", "b", 60_000)
    await store.release("svc open", "a")
    assert not await store.claim("svc open", "c", 60_000)


async def test_messages_are_counted_for_all_and_for_a_while(store: RedisAlertStore, redis_bench: RedisBench) -> None:
    assert await store.sent("12:00") == 0
    await store.count_sent("12:00", 60_000)
    await another(redis_bench).count_sent("12:00", 60_000)
    assert (await store.sent("12:00"), await store.sent("12:01")) == (2, 0)
    assert 0 < await redis_bench.client.pttl(store._keys.alerts_sent("12:00")) <= 60_000


async def test_what_happened_before_the_first_alerter_came_is_no_news(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await happens(redis_bench, "old")
    assert await store.take([NAME, OTHER], "a", NEVER) == []
    await happens(redis_bench, "new")
    await happens(redis_bench, "elsewhere", circuit=OTHER)
    assert reasons(await store.take([NAME, OTHER], "a", NEVER)) == ["new", "elsewhere"]


async def test_each_event_is_taken_by_one_alerter(store: RedisAlertStore, redis_bench: RedisBench) -> None:
    beside = another(redis_bench)
    assert await store.take([NAME], "a", NEVER) == await beside.take([NAME], "b", NEVER) == []
    await happens(redis_bench, "one", "two")
    assert reasons(await store.take([NAME], "a", NEVER)) == ["one", "two"]
    assert await beside.take([NAME], "b", NEVER) == await store.take([NAME], "a", NEVER) == []


async def test_what_an_alerter_took_and_did_not_finish_is_taken_over(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await store.take([NAME], "a", NEVER)
    await happens(redis_bench, "done", "left")
    done, _ = await store.take([NAME], "a", NEVER)
    await store.acknowledge(done)
    await happens(redis_bench, "fresh")
    assert reasons(await another(redis_bench).take([NAME], "b", AT_ONCE)) == ["left", "fresh"]


async def test_after_redis_lost_its_streams_all_that_is_there_is_news(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await store.take([NAME], "a", NEVER)
    await redis_bench.forget()
    await happens(redis_bench, "after the loss")
    assert reasons(await store.take([NAME], "a", NEVER)) == ["after the loss"]


async def test_alerters_that_are_long_gone_and_owe_nothing_are_struck_off(
    store: RedisAlertStore, redis_bench: RedisBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "GONE_MS", -1)
    await store.take([NAME], "gone", NEVER)
    owing = another(redis_bench)
    await happens(redis_bench, "not finished")
    await owing.take([NAME], "owing", NEVER)
    await another(redis_bench).take([NAME], "new", NEVER)
    stream = store._stream(NAME)
    left = await redis_bench.client.xinfo_consumers(stream, GROUP)
    names = {one.get("name", one.get(b"name")) for one in left}
    assert {name.decode() if isinstance(name, bytes) else name for name in names} == {"owing", "new"}
