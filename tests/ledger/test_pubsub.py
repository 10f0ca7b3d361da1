"""The subscription: what it yields, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio.client import PubSub

from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.bench import terms
from tests.redis_servers import RedisProcess
from tests.waiting import PATIENCE_S

NAME = "embedder.primary"


def made(url: str, **options: Any) -> RedisLedger:
    return RedisLedger(connect(url, protocol=options.pop("protocol", None)), **options)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_change_published_by_one_replica_reaches_another(protocol: int, any_redis_url: str) -> None:
    here, there = made(any_redis_url, protocol=protocol), made(any_redis_url)
    async with aclosing(here.changes()) as changes:  # type: ignore[type-var]  # an async generator
        assert await anext(changes) is None
        reported = await there.override(NAME, terms(), OverrideMode.OPEN, "why", "kim", None)
        received = await asyncio.wait_for(anext(changes), PATIENCE_S)
    assert received is not None
    assert received.snapshot == reported.snapshot
    await here.aclose()
    await there.aclose()


@pytest.mark.parametrize("protocol", [2, 3])
async def test_an_idle_connection_is_pinged_and_goes_on(
    protocol: int, any_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = made(any_redis_url, protocol=protocol)
    pinged, ping = asyncio.Event(), PubSub.ping

    def noted(pubsub: PubSub, message: Any = None) -> Any:
        pinged.set()
        return ping(pubsub, message)

    monkeypatch.setattr(PubSub, "ping", noted)
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes))
        async with asyncio.timeout(PATIENCE_S):
            await pinged.wait()
        await ledger.override(NAME, terms(), OverrideMode.OPEN, "why", "kim", None)
        assert (await asyncio.wait_for(waiting, PATIENCE_S)) is not None
    await ledger.aclose()


@pytest.mark.parametrize(
    "foreign", ["", "not json", "5", "[]", '["a"]', '{"a": 1}', '["a", "1", "2"]', "[1, 2, 3]", b"\xff\xfe"]
)
async def test_messages_that_are_not_changes_are_ignored(foreign: str | bytes, fake_redis_server: str) -> None:
    ledger, stranger = made(fake_redis_server), connect(fake_redis_server)
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        await stranger.publish("ha_rag:changes", foreign)
        reported = await ledger.override(NAME, terms(), OverrideMode.OPEN, "why", "kim", None)
        received = await asyncio.wait_for(anext(changes), PATIENCE_S)
    assert received is not None
    assert received.snapshot == reported.snapshot
    await ledger.aclose()
    await close(stranger)


@pytest.mark.real_redis
async def test_a_frozen_redis_ends_the_subscription(own_redis_server: RedisProcess) -> None:
    ledger = made(own_redis_server.url, silence_s=0.05)
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        own_redis_server.pause()
        with pytest.raises(LedgerUnavailableError):
            await asyncio.wait_for(anext(changes), PATIENCE_S)
    own_redis_server.resume()
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_redis_that_died_ends_the_subscription(own_redis_server: RedisProcess) -> None:
    ledger = made(own_redis_server.url)
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        own_redis_server.kill()
        with pytest.raises(LedgerUnavailableError):
            await asyncio.wait_for(anext(changes), PATIENCE_S)
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_closed_connection_ends_the_subscription_while_redis_still_runs(own_redis_server: RedisProcess) -> None:
    ledger, other = made(own_redis_server.url), connect(own_redis_server.url)
    async with aclosing(ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        await other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        with pytest.raises(LedgerUnavailableError):
            await asyncio.wait_for(anext(changes), PATIENCE_S)
    await ledger.aclose()
    await close(other)


@pytest.mark.real_redis
async def test_without_a_redis_the_subscription_fails_at_once(own_redis_server: RedisProcess) -> None:
    own_redis_server.kill()
    ledger = made(own_redis_server.url)
    with pytest.raises(LedgerUnavailableError):
        await anext(ledger.changes())
    await ledger.aclose()


@pytest.mark.real_redis
async def test_a_user_without_permission_to_subscribe_is_refused(own_redis_server: RedisProcess) -> None:
    admin = connect(own_redis_server.url)
    await admin.execute_command("ACL", "SETUSER", "app", "reset", "on", ">s", "~*", "resetchannels", "+@all")
    await close(admin)
    ledger = made(own_redis_server.url.replace("redis://", "redis://app:s@"))
    with pytest.raises(LedgerRefusedError) as refused:
        await anext(ledger.changes())
    assert refused.value.code == "NOPERM"
    await ledger.aclose()
