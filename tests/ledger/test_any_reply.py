"""Whatever a server answers, each method of the stores returns what it promises or raises a LedgerError."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit.bounds import MAX_AHEAD_MS
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.errors import LedgerError
from ha_rag.ledger.store.alerts import RedisAlertStore
from ha_rag.ledger.store.cache import CachedValue, RedisCacheStore
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.feedback import Comment, Rating, RedisFeedbackStore
from ha_rag.ledger.store.ledger import ChangeLog, Heartbeat, StoreHealth, StreamEntry
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.validation import ForeignValueError
from ha_rag.outcomes import Outcome
from tests.depth import deep
from tests.ledger.bench import terms
from tests.ledger.hostile_server import hostile_server, replies

TERMS = terms()
POINT = RestorePoint(CircuitState.OPEN, 5, 100)
ENTRY = StreamEntry("1-1", "svc", 1, 2, "closed", "open", "streak", "why", "r1", 1, 2, 3)


def is_reply(got: Any) -> bool:
    return isinstance(got, Reply) and 0 <= got.snapshot.epoch <= got.snapshot.now_ms + MAX_AHEAD_MS


def all_are(kind: type) -> Callable[[Any], bool]:
    return lambda got: isinstance(got, list) and all(isinstance(item, kind) for item in got)


async def first_change(ledger: RedisLedger) -> None:
    """Waits for the first message after subscribing, or for the reason why there is none."""
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        await anext(changes)


def cache(client: Any) -> RedisCacheStore:
    return RedisCacheStore(client, "ha_rag", "answers", places=4, max_bytes=1_000, ttl_ms=5)


async def cached(client: Any) -> CachedValue | None:
    try:
        return await cache(client).get("00ff")
    except ForeignValueError:  # it is told apart, because it is a miss that is counted
        return None


RATING = Rating("00ff", "up", ("degradation:none",), "clear")
Call = Callable[[RedisLedger, RedisAlertStore, Any], Awaitable[Any]]
CALLS: dict[str, tuple[Call, Callable[[Any], bool]]] = {
    "record": (lambda ledger, *_: ledger.record("svc", TERMS, Batch("r1", 1), 0.0), is_reply),
    "lease": (lambda ledger, *_: ledger.lease("svc", TERMS, "r1", 0, "t"), is_reply),
    "settle": (lambda ledger, *_: ledger.settle("svc", TERMS, "r1", "t", Outcome.OK, 0, 0.0), is_reply),
    "override": (lambda ledger, *_: ledger.override("svc", TERMS, OverrideMode.OPEN, "w", "k", 5), is_reply),
    "restore": (lambda ledger, *_: ledger.restore("svc", TERMS, "r1", POINT), is_reply),
    "read": (
        lambda ledger, *_: ledger.read({"svc": TERMS, "other": TERMS}),
        lambda got: isinstance(got, dict) and all(map(is_reply, got.values())),
    ),
    "events": (lambda ledger, *_: ledger.events("svc"), all_are(StreamEntry)),
    "latest": (lambda ledger, *_: ledger.latest("svc"), all_are(StreamEntry)),
    "now": (lambda ledger, *_: ledger.now_ms(), lambda got: isinstance(got, int)),
    "health": (lambda ledger, *_: ledger.health(), lambda got: isinstance(got, StoreHealth)),
    "changes": (lambda ledger, *_: first_change(ledger), lambda got: got is None),
    "the first log": (lambda ledger, *_: ledger.change_log(None), lambda got: isinstance(got, ChangeLog)),
    "the log": (lambda ledger, *_: ledger.change_log("5-0"), lambda got: isinstance(got, ChangeLog)),
    "beat": (lambda ledger, *_: ledger.beat("r1~a", "{}", ["svc"], 5), lambda got: isinstance(got, int)),
    "leave": (lambda ledger, *_: ledger.leave("r1~a"), lambda got: got is None),
    "replicas": (lambda ledger, *_: ledger.replicas(), all_are(Heartbeat)),
    "fallen silent": (
        lambda ledger, *_: ledger.fallen_silent(1_000),
        lambda got: isinstance(got, dict) and all(isinstance(at, int) for at in got.values()),
    ),
    "cached": (
        lambda _, __, client: cached(client),
        lambda got: got is None or (isinstance(got, CachedValue) and got.age_s >= 0),
    ),
    "keep": (lambda _, __, client: cache(client).put("00ff", "body"), lambda got: got is None),
    "secret": (lambda _, __, client: RedisFeedbackStore(client).secret(), lambda got: isinstance(got, str)),
    "rate": (lambda _, __, client: RedisFeedbackStore(client).give(RATING), lambda got: isinstance(got, bool)),
    "counts": (lambda _, __, client: RedisFeedbackStore(client).counts(), lambda got: isinstance(got, dict)),
    "comments": (lambda _, __, client: RedisFeedbackStore(client).comments(5), all_are(Comment)),
    "circuits": (lambda ledger, *_: ledger.known_circuits(), all_are(str)),
    "remove": (lambda ledger, *_: ledger.remove("svc"), lambda got: got is None),
    "incidents": (lambda _, alerts, *__: alerts.open_incidents(), lambda got: isinstance(got, dict)),
    "record an incident": (lambda _, alerts, *__: alerts.record("k", "{}"), lambda got: got is None),
    "claim": (lambda _, alerts, *__: alerts.claim("k", "me", 5), lambda got: isinstance(got, bool)),
    "release": (lambda _, alerts, *__: alerts.release("k", "me"), lambda got: got is None),
    "sent": (lambda _, alerts, *__: alerts.sent("p"), lambda got: isinstance(got, int)),
    "count": (lambda _, alerts, *__: alerts.count_sent("p", 5), lambda got: got is None),
    "take": (lambda _, alerts, *__: alerts.take(["svc"], "me", 5), all_are(StreamEntry)),
    "acknowledge": (lambda _, alerts, *__: alerts.acknowledge(ENTRY), lambda got: got is None),
}


async def answers(protocol: int, name: str, drawn: list[bytes]) -> None:
    call, is_valid = CALLS[name]
    async with hostile_server() as server:
        client = connect(f"redis://127.0.0.1:{server.port}/0", protocol=protocol, timeout_s=0.1)
        try:
            for server.reply in drawn:
                ledger = RedisLedger(client, silence_s=0.05)
                try:
                    got = await call(ledger, RedisAlertStore(client), client)
                except LedgerError:
                    continue
                assert is_valid(got), got
        finally:
            await close(client)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", CALLS)
def test_any_reply_is_a_value_of_the_promised_kind_or_a_ledger_error(name: str, protocol: int) -> None:
    @deep(6)
    @given(drawn=st.lists(replies(protocol), min_size=1, max_size=8))
    def holds(drawn: list[bytes]) -> None:
        asyncio.run(answers(protocol, name, drawn))

    holds()
