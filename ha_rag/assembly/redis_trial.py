"""Checks that the ledger can use a Redis: its commands, keys and channel, in the given namespace."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Iterable
from typing import Any, Literal

from redis.asyncio import RedisCluster
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from ha_rag.assembly.redis_advice import command_denied, missing, refused, unreachable
from ha_rag.ledger.store.address import Address, parse
from ha_rag.ledger.store.connection import Client, close, connect
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.permissions import channel_rule, keys_rule, samples

Seen = tuple[Literal["ok", "warning", "problem"], str, str]
TIMEOUT_S = 2.0


async def try_redis(url: str, namespace: str) -> list[Seen]:
    """The findings, each with a remedy. Leaves nothing in Redis. Raises nothing, whatever Redis does."""
    address = parse(url)
    client = connect(url, timeout_s=TIMEOUT_S)
    try:
        async with asyncio.timeout(4 * TIMEOUT_S):
            return await _tried(client, address, namespace)
    except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
        return [("problem", *unreachable(error, address))]
    finally:
        await close(client)


async def _tried(client: Client, address: Address, namespace: str) -> list[Seen]:
    keys = Keys(namespace)
    trials = samples(keys, f"trial-{secrets.token_hex(4)}")
    denied, wrong = {}, []
    for command, given in trials.items():
        error = await _error_of(client.execute_command(command.upper(), *given))
        if isinstance(error, NoPermissionError):
            denied[command] = str(error)
        elif error is not None:
            wrong.append(error)
    if (why := await _may_not_listen(client, keys.changes)) is not None:
        denied["subscribe"] = why
    rights = list(_missing(denied, namespace, address.username or "default"))
    seen: list[Seen] = [("problem", text, mend) for text, mend in rights or [refused(e) for e in wrong[:1]]]
    return seen or [("ok", "reachable, with all required permissions", ""), *await _policy(client)]


async def _error_of(answer: Awaitable[Any]) -> RedisError | None:
    """The error that Redis answered with, if any. Raises connection errors and login errors."""
    try:
        await answer
    except AuthenticationError:
        raise
    except NoScriptError:
        return None  # the command is permitted; there is no script with that name
    except ResponseError as error:
        return error
    return None


async def _may_not_listen(client: Client, channel: str) -> str | None:
    if isinstance(client, RedisCluster):
        await client.initialize()
    pubsub: Any = client.pubsub()
    try:
        await pubsub.subscribe(channel)
        await pubsub.get_message(timeout=TIMEOUT_S)
    except NoPermissionError as error:
        return str(error)
    finally:
        await pubsub.aclose()
    return None


def _missing(denied: dict[str, str], namespace: str, user: str) -> Iterable[tuple[str, str]]:
    """The missing permissions with the ACL rules that grant them.

    Redis says whether it denied a command, a key or the channel. A denied command may be one of the connection's own.
    """
    commands = filter(None, map(command_denied, denied.values()))
    rules = {command.upper(): f"+{command}" for command in commands}
    if any("key" in why for why in denied.values()):
        rules[f"keys that start with {namespace}:"] = keys_rule(namespace)
    if any("channel" in why for why in denied.values()):
        rules[f"the channel {namespace}:changes"] = channel_rule(namespace)
    if rules:
        yield missing(rules, user)


async def _policy(client: Client) -> list[Seen]:
    try:
        info: Any = await client.info("memory")
    except RedisError:
        return []  # INFO may be denied; nothing depends on it
    policy = info.get("maxmemory_policy", "noeviction") if isinstance(info, dict) else "noeviction"
    if policy == "noeviction":
        return []
    text = f"maxmemory-policy is {policy}, so circuits may be evicted when memory runs low"
    return [("warning", text, "set maxmemory-policy to noeviction, or use a separate Redis for the circuits")]
