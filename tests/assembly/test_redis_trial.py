"""What `ha-rag check` finds in a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ha_rag.assembly.redis_trial import try_redis

ALL_OK = ("ok", "reachable, with all required permissions", "")


@pytest.fixture
async def operator(redis_server) -> AsyncIterator[Redis]:
    """A client that may do anything; what it changes is put back."""
    async with Redis.from_url(redis_server.url) as client:
        yield client
        await client.config_set("maxmemory-policy", "noeviction")
        await client.execute_command("ACL", "DELUSER", "limited")


def as_limited(url: str) -> str:
    return url.replace("redis://", "redis://limited:pw@")


async def test_a_redis_with_all_permissions_is_ok_and_left_unchanged(redis_server, operator):
    seen = await try_redis(redis_server.url, "trial")

    assert seen == [ALL_OK]
    assert await operator.keys("*") == []


async def test_a_redis_that_may_evict_keys_is_a_warning(redis_server, operator):
    await operator.config_set("maxmemory-policy", "allkeys-lru")

    verdict, text, mend = (await try_redis(redis_server.url, "trial"))[-1]

    assert verdict == "warning"
    assert "allkeys-lru" in text
    assert "noeviction" in mend


@pytest.mark.parametrize(
    ("rights", "named", "rule"),
    [
        (["~trial:*", "resetchannels", "+@all"], "the channel trial:changes", "&trial:changes"),
        (["~trial:*", "&trial:*", "+@all", "-eval", "-evalsha"], "EVAL, EVALSHA", "+eval +evalsha"),
        (["~trial:*", "&trial:*", "+@all", "-xadd"], "XADD", "+xadd"),
        (["~trial:*", "&trial:*", "+@all", "-subscribe"], "SUBSCRIBE", "+subscribe"),
        (["~other:*", "&trial:*", "+@all"], "keys that start with trial:", "~trial:*"),
        (["~other:*", "&trial:*", "+@all", "-del"], "DEL, keys that start with trial:", "+del ~trial:*"),
    ],
)
async def test_a_missing_permission_is_reported_with_the_acl_rule_that_grants_it(
    redis_server, operator, rights, named, rule
):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)

    ((verdict, text, mend),) = await try_redis(as_limited(redis_server.url), "trial")

    assert (verdict, text) == ("problem", f"the user limited may not use {named}")
    assert mend.startswith(f"run on the server: ACL SETUSER limited {rule} ")
    await operator.execute_command("ACL", "SETUSER", "limited", *rule.split())
    assert await try_redis(as_limited(redis_server.url), "trial") == [ALL_OK]


async def test_a_wrong_password_is_reported_but_not_shown(redis_server, operator):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">other", "+@all")

    ((verdict, text, mend),) = await try_redis(as_limited(redis_server.url), "trial")

    assert (verdict, text) == ("problem", "the user name or password is wrong")
    assert "redis_password_env" in mend


async def test_a_missing_password_is_reported(own_redis_server, operator):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.config_set("requirepass", "secret")

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text) == ("problem", "requires a password")
    assert "redis_password_env" in mend
    right = own_redis_server.url.replace("redis://", "redis://:secret@")
    assert await try_redis(right, "trial") == [ALL_OK]


async def test_a_read_only_replica_is_reported(own_redis_server, unused_port):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.replicaof("127.0.0.1", unused_port)

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("is a read-only replica")) == ("problem", True)
    assert "redis+sentinel://" in mend


async def test_a_full_redis_is_reported(own_redis_server):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.config_set("maxmemory", 1)

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("is full")) == ("problem", True)
    assert "maxmemory" in mend


async def test_an_unreachable_redis_is_reported_with_a_remedy(unused_port):
    ((verdict, text, mend),) = await try_redis(f"redis://127.0.0.1:{unused_port}", "trial")

    assert (verdict, text.startswith("cannot be reached")) == ("problem", True)
    assert mend.startswith("start it, or correct fleet.redis_url")


async def test_a_frozen_redis_is_reported_after_a_timeout(own_redis_server, monkeypatch):
    monkeypatch.setattr("ha_rag.assembly.redis_trial.TIMEOUT_S", 0.1)
    own_redis_server.pause()

    ((verdict, text, _),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("cannot be reached")) == ("problem", True)
