"""Keys of a Redis that no reply can hold, or of another type: each is replaced, and the replicas go on sharing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from ha_rag.circuit.state import OverrideMode
from ha_rag.ledger.store import reply_limits
from ha_rag.ledger.store.alerts import RedisAlertStore
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.experiment import CountedBatch, RedisExperimentStore
from ha_rag.ledger.store.experiment_counts import ExperimentKey, Seen, total
from ha_rag.ledger.store.feedback import Rating, RedisFeedbackStore
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import terms
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

LIMIT = 300_000
"""Bytes of a reply, in these tests."""
HUGE = "x" * 2 * LIMIT
BEAT_MS = 60_000
TERMS = terms()


@dataclass
class Shared:
    """The ledger, the feedback and the alerts in a real Redis, and a client of whoever else may write there."""

    ledger: RedisLedger
    feedback: RedisFeedbackStore
    experiment: RedisExperimentStore
    alerts: RedisAlertStore
    other: redis.Redis

    async def beats(self) -> None:
        await self.ledger.beat("sound~1", "{}", ["svc"], BEAT_MS)

    async def changes(self) -> None:
        await self.ledger.override("svc", TERMS, OverrideMode.SHADOW, "why", "kim", None)


@pytest.fixture
async def shared(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shared]:
    monkeypatch.setattr(reply_limits, "MAX_BYTES", LIMIT)
    client = connect(redis_server.url, timeout_s=30.0)
    ledger = RedisLedger(connect(redis_server.url, timeout_s=30.0))
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as other:
        shared = Shared(
            ledger, RedisFeedbackStore(client), RedisExperimentStore(client), RedisAlertStore(client), other
        )
        await shared.beats()
        await shared.changes()
        await shared.alerts.take(["svc"], "a", 0)
        yield shared
    await close(client)
    await ledger.aclose()


async def change_log(shared: Shared) -> None:
    log = await shared.ledger.change_log(None)
    assert log is not None
    assert log.gap
    await shared.changes()
    after = await shared.ledger.change_log(log.cursor)
    assert after is not None
    assert [change.circuit for change in after.changes] == ["svc"]


async def change_log_while_polling(shared: Shared) -> None:
    before = await shared.ledger.change_log("0-0")
    assert before is not None
    assert before.gap
    await change_log(shared)


async def history(shared: Shared) -> None:
    await shared.ledger.events("svc")
    await shared.changes()
    assert len(await shared.ledger.events("svc")) == 1
    assert len(await shared.ledger.latest("svc")) == 1


async def replicas(shared: Shared) -> None:
    await shared.ledger.replicas()
    await shared.beats()
    assert [beat.incarnation for beat in await shared.ledger.replicas()] == ["sound~1"]


async def circuits(shared: Shared) -> None:
    await shared.ledger.known_circuits()
    await shared.beats()
    assert await shared.ledger.known_circuits() == ["svc"]


async def ratings(shared: Shared) -> None:
    await shared.feedback.counts()
    await shared.feedback.comments(10)
    await ratings_before_they_are_read(shared)


async def ratings_before_they_are_read(shared: Shared) -> None:
    assert await shared.feedback.give(Rating("a" * 64, "up", ["all"], "good"))
    assert (await shared.feedback.counts())["all"]["up"] == 1
    assert [comment.text for comment in await shared.feedback.comments(10)] == ["good"]


async def secret(shared: Shared) -> None:
    made = await shared.feedback.secret()
    assert len(made) == 64
    assert await shared.feedback.secret() == made


async def counted(shared: Shared) -> None:
    """Another rating, of another unit, in case the first one's mark was deleted with what stood there."""
    await shared.experiment.told(EXPERIMENT)
    await shared.experiment.count(EXPERIMENT, CountedBatch("one", 1, {total(0, "questions"): 3}, []))
    assert await shared.experiment.rate(EXPERIMENT, 0, 7, True)
    assert not await shared.experiment.rate(EXPERIMENT, 0, 7, True)
    counts = (await shared.experiment.told(EXPERIMENT)).counts
    assert counts[total(0, "questions")] == 3


async def counted_before_it_is_read(shared: Shared) -> None:
    seen = [Seen(0, 5, {"answered": 1, "undegraded": 1, "in_time": 1})]
    await shared.experiment.count(EXPERIMENT, CountedBatch("one", 1, {total(0, "questions"): 3}, seen))
    assert await shared.experiment.rate(EXPERIMENT, 0, 7, True)
    assert (await shared.experiment.told(EXPERIMENT)).counts[total(0, "questions")] == 3


async def described(shared: Shared) -> None:
    await shared.experiment.describe(EXPERIMENT, {"name": "trial"})
    assert await shared.experiment.described() == [{"name": "trial"}]


async def incidents(shared: Shared) -> None:
    assert await shared.alerts.open_incidents() == {}
    await shared.alerts.record("svc open", "one")
    assert await shared.alerts.open_incidents() == {"svc open": "one"}


async def messages_sent(shared: Shared) -> None:
    assert await shared.alerts.sent("now") == 0
    await shared.alerts.count_sent("now", BEAT_MS)
    assert await shared.alerts.sent("now") == 1


async def pending_events(shared: Shared) -> None:
    assert await shared.alerts.take(["svc"], "a", 0) == []
    await shared.changes()
    assert len(await shared.alerts.take(["svc"], "a", 0)) == 1


async def all_heartbeats(shared: Shared) -> None:
    """Those that are too large only together are read one by one."""
    found = [beat.incarnation for beat in await shared.ledger.replicas()]
    assert sorted(found) == ["forged~0", "forged~1", "forged~2", "sound~1"]


def now_ms(other: redis.Redis) -> int:
    seconds, _ = other.time()
    return int(seconds) * 1000


def beats_of(other: redis.Redis, number: int, body: str) -> None:
    for forged in range(number):
        other.zadd("ha_rag:replicas", {f"forged~{forged}": now_ms(other)})
        other.set(f"ha_rag:replica:forged~{forged}", body)


ALERTS, SENT = "ha_rag:alerts", "ha_rag:alerts-sent:now"
LAST_ID = f"{2**64 - 1}-{2**64 - 1}"
LOG, EVENTS, REPLICAS, CIRCUITS = "ha_rag:change-log", "ha_rag:{svc}:events", "ha_rag:replicas", "ha_rag:circuits"
SECRET, COUNTS, COMMENTS = (f"ha_rag:{{:feedback}}:{part}" for part in ("secret", "counts", "comments"))
EXPERIMENT = ExperimentKey("trial", "01234567", (1, 1))
EXPERIMENTS = Keys("ha_rag").experiments
EXPERIMENT_COUNTS, ASKED, RATED = (
    Keys("ha_rag").experiment("trial", "01234567", part) for part in ("counts", "asked", "rated")
)
Forge = Callable[[redis.Redis], Any]
FORGED: dict[str, tuple[Forge, Callable[[Shared], Awaitable[None]]]] = {
    "a huge entry of the log": (lambda r: r.xadd(LOG, {"x": HUGE}), change_log),
    "a huge entry of the log, later": (lambda r: r.xadd(LOG, {"x": HUGE}), change_log_while_polling),
    "large entries of the log": (
        lambda r: [r.xadd(LOG, {"x": HUGE[:10_000]}) for _ in range(100)],
        change_log_while_polling,
    ),
    "a log of another type": (lambda r: r.set(LOG, "x"), change_log),
    "a huge entry of a history": (lambda r: r.xadd(EVENTS, {"x": HUGE}), history),
    "a history of another type": (lambda r: r.set(EVENTS, "x"), history),
    "a huge name of a replica": (lambda r: r.zadd(REPLICAS, {HUGE: now_ms(r)}), replicas),
    "a list of replicas of another type": (lambda r: r.set(REPLICAS, "x"), replicas),
    "the list of those that log of another type": (lambda r: r.set("ha_rag:loggers", "x"), replicas),
    "a huge name of a circuit": (lambda r: r.zadd(CIRCUITS, {HUGE: now_ms(r)}), circuits),
    "a list of circuits of another type": (lambda r: r.set(CIRCUITS, "x"), circuits),
    "a huge heartbeat": (lambda r: beats_of(r, 1, HUGE), replicas),
    "large heartbeats": (lambda r: beats_of(r, 3, HUGE[: LIMIT // 2]), all_heartbeats),
    "counts of another type": (lambda r: r.set(COUNTS, "x"), ratings),
    "counts of another type, and then a rating": (lambda r: r.set(COUNTS, "x"), ratings_before_they_are_read),
    "huge counts": (lambda r: r.hset(COUNTS, "x", HUGE), ratings),
    "a count beyond a double": (lambda r: r.hset(COUNTS, "all up", "1e400"), ratings_before_they_are_read),
    "comments of another type": (lambda r: r.set(COMMENTS, "x"), ratings_before_they_are_read),
    "a huge comment": (lambda r: r.xadd(COMMENTS, {"comment": HUGE}), ratings),
    "the last comment": (lambda r: r.xadd(COMMENTS, {"x": "y"}, id=LAST_ID), ratings_before_they_are_read),
    "an experiment's counts of another type": (lambda r: r.set(EXPERIMENT_COUNTS, "x"), counted),
    "an experiment's counts of another type, and then a batch": (
        lambda r: r.set(EXPERIMENT_COUNTS, "x"),
        counted_before_it_is_read,
    ),
    "an experiment's huge counts": (lambda r: r.hset(EXPERIMENT_COUNTS, "x", HUGE), counted),
    "who asked, of another type": (lambda r: r.set(ASKED, "x"), counted_before_it_is_read),
    "who rated, of another type": (lambda r: r.set(RATED, "x"), counted),
    "a list of experiments of another type": (lambda r: r.set(EXPERIMENTS, "x"), described),
    "a huge experiment in the list": (lambda r: r.hset(EXPERIMENTS, "x", HUGE), described),
    "huge incidents": (lambda r: r.hset(ALERTS, "x", HUGE), incidents),
    "incidents of another type": (lambda r: r.set(ALERTS, "x"), incidents),
    "a number of messages that is none": (lambda r: r.set(SENT, "1e400"), messages_sent),
    "a huge number of messages": (lambda r: r.set(SENT, "9" * 2 * LIMIT), messages_sent),
    "a number of messages of another type": (lambda r: r.lpush(SENT, "x"), messages_sent),
    "a huge event that alerters take": (lambda r: r.xadd(EVENTS, {"x": HUGE}), pending_events),
    "events of another type that alerters take": (lambda r: r.set(EVENTS, "x"), pending_events),
    "a huge secret": (lambda r: r.set(SECRET, HUGE), secret),
    "a secret of another type": (lambda r: r.lpush(SECRET, "x"), secret),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_key_that_cannot_be_read_is_replaced(shared: Shared, forged: str) -> None:
    forge, goes_on = FORGED[forged]
    forge(shared.other)
    await goes_on(shared)


@pytest.mark.parametrize("forged", ["a huge entry of the log", "a huge name of a replica", "a huge heartbeat"])
async def test_what_was_deleted_is_counted_and_said(
    shared: Shared, forged: str, caplog: pytest.LogCaptureFixture
) -> None:
    forge, goes_on = FORGED[forged]
    forge(shared.other)
    await goes_on(shared)
    assert sum(shared.ledger.refused_values.counts.values()) >= 1
    assert "its key is deleted" in caplog.text
