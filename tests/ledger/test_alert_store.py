"""The state that alerters share in Redis: open incidents, claims, message counts, and pending events."""

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
"""Idle time after which another alerter may take an event, in ms."""


@pytest.fixture
def store(redis_bench: RedisBench) -> RedisAlertStore:
    return RedisAlertStore(redis_bench.client, redis_bench.namespace)


def another(bench: RedisBench) -> RedisAlertStore:
    """The same store, as another process would open it."""
    return RedisAlertStore(bench.client, bench.namespace)


async def happens(bench: RedisBench, *reasons: str, circuit: str = NAME) -> None:
    for reason in reasons:
        await bench.ledger.override(circuit, terms(), OverrideMode.SHADOW, reason, "kim", None)


def reasons(events: list[StreamEntry]) -> list[str]:
    return [event.reason.removeprefix("shadow: ") for event in events]


async def test_an_open_incident_is_visible_to_all_alerters_until_it_is_removed(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await store.record("svc open", "one")
    await store.record("svc2 open", "two")
    assert await another(redis_bench).open_incidents() == {"svc open": "one", "svc2 open": "two"}
    assert 0 < await redis_bench.client.pttl(store._keys.alerts) <= KEPT_MS
    await store.forget("svc open")
    assert await store.open_incidents() == {"svc2 open": "two"}


async def test_only_one_alerter_holds_a_claim_until_it_expires(store: RedisAlertStore, redis_bench: RedisBench) -> None:
    assert await store.claim("svc open", "a", 60_000)
    assert not await another(redis_bench).claim("svc open", "b", 60_000)
    assert await another(redis_bench).claim("svc2 open", "b", 60_000)
    assert 0 < await redis_bench.client.pttl(store._keys.alert_claim("svc open")) <= 60_000
    await store.release("svc open", "a")
    assert await another(redis_bench).claim("svc open", "b", 60_000)


async def test_releasing_an_expired_claim_does_not_release_another_owners_claim(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    assert await another(redis_bench).claim("svc open", "b", 60_000)
    await store.release("svc open", "a")
    assert not await store.claim("svc open", "c", 60_000)


async def test_messages_are_counted_for_all_alerters_until_the_period_expires(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    assert await store.sent("12:00") == 0
    await store.count_sent("12:00", 60_000)
    await another(redis_bench).count_sent("12:00", 60_000)
    assert (await store.sent("12:00"), await store.sent("12:01")) == (2, 0)
    assert 0 < await redis_bench.client.pttl(store._keys.alerts_sent("12:00")) <= 60_000


async def test_a_new_consumer_group_skips_events_before_the_first_alerter_started(
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


async def test_an_event_that_an_alerter_did_not_acknowledge_is_taken_by_another(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await store.take([NAME], "a", NEVER)
    await happens(redis_bench, "done", "left")
    done, _ = await store.take([NAME], "a", NEVER)
    await store.acknowledge(done)
    await happens(redis_bench, "fresh")
    assert reasons(await another(redis_bench).take([NAME], "b", AT_ONCE)) == ["left", "fresh"]


async def test_after_redis_lost_its_streams_all_new_entries_are_delivered(
    store: RedisAlertStore, redis_bench: RedisBench
) -> None:
    await store.take([NAME], "a", NEVER)
    await redis_bench.forget()
    await happens(redis_bench, "after the loss")
    assert reasons(await store.take([NAME], "a", NEVER)) == ["after the loss"]


async def test_consumers_of_ended_alerters_without_pending_events_are_removed(
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
