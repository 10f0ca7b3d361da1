"""Listening to pushed changes, on a connection of its own, for as long as that connection provably lives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import RedisCluster

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store import codec
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.store.translation import translated


async def listen(client: Any, channel: str, silence_s: float) -> AsyncIterator[Change | None]:
    """None once subscribed, then every change told on `channel`.

    Ends with LedgerUnavailableError where the connection is lost, was replaced behind our back, or answers no ping
    for `silence_s`: whoever listened then cannot know what was missed, and must read.
    """
    if isinstance(client, RedisCluster):
        with translated():
            await client.initialize()  # a cluster's pubsub, unlike its commands, does not look for the nodes by itself
    pubsub = client.pubsub()
    try:
        with translated():
            await pubsub.subscribe(channel)
        await _subscribed(pubsub, silence_s)
        yield None
        async for data in _messages(pubsub, silence_s):
            if change := codec.change(data):
                yield change
    finally:
        with translated():
            await pubsub.aclose()


async def _subscribed(pubsub: Any, silence_s: float) -> None:
    message = await _next(pubsub, silence_s)
    if message is None or message["type"] != "subscribe":
        raise LedgerUnavailableError("no answer to SUBSCRIBE")


async def _messages(pubsub: Any, silence_s: float) -> AsyncIterator[str | bytes]:
    asked = False
    while True:
        message = await _next(pubsub, silence_s)
        if message is None and asked:
            raise LedgerUnavailableError(f"the connection that listens is silent for {2 * silence_s:g} s")
        asked = message is None
        if message is None:
            with translated():
                await pubsub.ping("listening")
        elif message["type"] == "subscribe":
            raise LedgerUnavailableError("the connection that listens was replaced")
        elif message["type"] == "message":
            yield message["data"]


async def _next(pubsub: Any, timeout_s: float) -> dict[str, Any] | None:
    with translated():
        message: dict[str, Any] | None = await pubsub.get_message(timeout=timeout_s)
    return message
