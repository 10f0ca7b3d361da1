"""Tries what the ledger does in Redis: scripts, keys, the event stream and the channel, in this namespace."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from ha_rag.ledger.connection import Client, close, connect
from ha_rag.settings import redacted

Seen = tuple[Literal["ok", "warning", "problem"], str, str]
TIMEOUT_S = 2.0


async def try_redis(url: str, namespace: str) -> list[Seen]:
    """What was seen, each with how to mend it. Leaves nothing behind. Never raises for what Redis does."""
    client = connect(url, timeout_s=TIMEOUT_S)
    try:
        async with asyncio.timeout(4 * TIMEOUT_S):
            return await _tried(client, namespace)
    except (RedisError, OSError, TimeoutError) as error:
        return [_unreachable(error)]
    finally:
        await close(client)


async def _tried(client: Client, namespace: str) -> list[Seen]:
    await _awaited(client.ping())
    key, channel = f"{namespace}:{{trial-{secrets.token_hex(4)}}}", f"{namespace}:changes"
    rights: list[tuple[str, Callable[[], Any]]] = [
        ("keys", lambda: client.set(f"{key}:open", "1", px=1000)),
        ("scripts", lambda: client.eval("return redis.call('TIME')", 1, f"{key}:open")),
        ("the event stream", lambda: client.xadd(f"{key}:events", {"trial": "1"}, maxlen=1)),
        ("the channel", lambda: client.publish(channel, "")),
    ]
    seen = [problem for name, use in rights if (problem := await _used(name, use))]
    await _used("keys", lambda: client.delete(f"{key}:open", f"{key}:events"))
    return seen or [("ok", "reachable, with every right that is needed", ""), *await _policy(client)]


async def _used(name: str, use: Callable[[], Any]) -> Seen | None:
    try:
        await _awaited(use())
    except NoPermissionError as error:
        return (
            "problem",
            f"{name} may not be used ({error})",
            f"give the ACL user the right to {name} under this namespace",
        )
    except RedisError as error:
        return "problem", f"{name} cannot be used ({error})", "see the server's own log"
    return None


async def _policy(client: Client) -> list[Seen]:
    try:
        info = await _awaited(client.info("memory"))
    except RedisError:
        return []  # INFO may be forbidden; nothing depends on it
    policy = info.get("maxmemory_policy", "noeviction") if isinstance(info, dict) else "noeviction"
    if policy == "noeviction":
        return []
    text = f"maxmemory-policy is {policy}, which may throw circuits away when memory is short"
    return [("warning", text, "set maxmemory-policy to noeviction, or give the circuits a Redis of their own")]


async def _awaited(result: Awaitable[Any] | Any) -> Any:
    return await result if isinstance(result, Awaitable) else result


def _unreachable(error: Exception) -> Seen:
    if isinstance(error, AuthenticationError):
        return "problem", "the user or password is refused", "see fleet.redis_password_env and HA_RAG_REDIS_URL"
    why = redacted(str(error)) or type(error).__name__
    mend = "start it, or correct fleet.redis_url; replicas start without it, and judge alone until it is there"
    return "problem", f"cannot be reached ({why})", mend
