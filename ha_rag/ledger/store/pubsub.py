"""Subscribes to pushed changes on a dedicated connection, and checks that the connection is alive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import RedisCluster

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store import codec
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignReplyError
from ha_rag.turns import Turns


async def listen(client: Any, channel: str, silence_s: float, refused: RefusedValues) -> AsyncIterator[Change | None]:
    """Yields None once subscribed, then every change published on `channel`.

    Raises LedgerUnavailableError when the connection is lost, was reopened by the client library, or does not answer
    a ping within `silence_s`: messages may have been missed, so the caller must read.
    """
    if isinstance(client, RedisCluster):
        with translated():
            await client.initialize()  # unlike a command, pubsub on a cluster does not discover the nodes
    pubsub = client.pubsub()
    try:
        with translated():
            await pubsub.subscribe(channel)
        await _subscribed(pubsub, silence_s)
        yield None
        async for data in _messages(pubsub, silence_s):
            if change := codec.change(data):
                yield change
            else:
                refused.note("message", f"{data[:80]!r:.80}")
    finally:
        with translated():
            await pubsub.aclose()


async def _subscribed(pubsub: Any, silence_s: float) -> None:
    message = await _next(pubsub, silence_s)
    if message is None or message["type"] != "subscribe":
        raise LedgerUnavailableError("no answer to SUBSCRIBE")


async def _messages(pubsub: Any, silence_s: float) -> AsyncIterator[str | bytes]:
    pinged = False
    turns = Turns()
    while True:
        await turns.next()  # messages that have arrived already are returned without a wait
        message = await _next(pubsub, silence_s)
        if message is None and pinged:
            raise LedgerUnavailableError(f"nothing received on the pub/sub connection for {2 * silence_s:g} s")
        pinged = message is None
        if message is None:
            with translated():
                await pubsub.ping("listening")
        elif message["type"] == "subscribe":
            raise LedgerUnavailableError("the pub/sub connection was reopened")
        elif message["type"] == "message":
            yield message["data"]


async def _next(pubsub: Any, timeout_s: float) -> dict[str, Any] | None:
    with translated():
        message: dict[str, Any] | None = await pubsub.get_message(timeout=timeout_s)
        if message is not None and not {"type", "data"} <= message.keys():
            raise ForeignReplyError("a message without a type or data")
        return message
