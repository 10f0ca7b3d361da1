"""What `ha-rag check` finds in a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ha_rag.assembly.redis_trial import try_redis

ALL_IS_WELL = ("ok", "reachable, with every right that is needed", "")


@pytest.fixture
async def operator(redis_server) -> AsyncIterator[Redis]:
    """A client that may do anything; what it changes is put back."""
    async with Redis.from_url(redis_server.url) as client:
        yield client
        await client.config_set("maxmemory-policy", "noeviction")
        await client.execute_command("ACL", "DELUSER", "limited")


def as_limited(url: str) -> str:
    return url.replace("redis://", "redis://limited:pw@")


async def test_a_redis_with_every_right_is_well_and_nothing_is_left_in_it(redis_server, operator):
    seen = await try_redis(redis_server.url, "trial")

    assert seen == [ALL_IS_WELL]
    assert await operator.keys("*") == []


async def test_a_redis_that_throws_keys_away_is_a_warning(redis_server, operator):
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
        (["~other:*", "&trial:*", "+@all"], "keys that begin with trial:", "~trial:*"),
        (["~other:*", "&trial:*", "+@all", "-del"], "DEL, keys that begin with trial:", "+del ~trial:*"),
    ],
)
async def test_a_right_that_is_missing_is_named_with_the_rule_that_gives_it(
    redis_server, operator, rights, named, rule
):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)

    ((verdict, text, mend),) = await try_redis(as_limited(redis_server.url), "trial")

    assert (verdict, text) == ("problem", f"the user limited may not use {named}")
    assert mend.startswith(f"say on the server: ACL SETUSER limited {rule} ")
    await operator.execute_command("ACL", "SETUSER", "limited", *rule.split())
    assert await try_redis(as_limited(redis_server.url), "trial") == [ALL_IS_WELL]


async def test_a_wrong_password_is_named_and_not_shown(redis_server, operator):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">other", "+@all")

    ((verdict, text, mend),) = await try_redis(as_limited(redis_server.url), "trial")

    assert (verdict, text) == ("problem", "the user or password is refused")
    assert "redis_password_env" in mend


async def test_a_password_that_is_wanted_and_not_given_is_asked_for(own_redis_server, operator):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.config_set("requirepass", "secret")

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text) == ("problem", "wants a password")
    assert "redis_password_env" in mend
    right = own_redis_server.url.replace("redis://", "redis://:secret@")
    assert await try_redis(right, "trial") == [ALL_IS_WELL]


async def test_a_copy_that_takes_no_writes_is_told_from_its_master(own_redis_server, unused_port):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.replicaof("127.0.0.1", unused_port)

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("is a copy, which takes no writes")) == ("problem", True)
    assert "redis+sentinel://" in mend


async def test_a_redis_that_is_full_is_named(own_redis_server):
    async with Redis.from_url(own_redis_server.url) as client:
        await client.config_set("maxmemory", 1)

    ((verdict, text, mend),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("is full")) == ("problem", True)
    assert "maxmemory" in mend


async def test_a_redis_that_is_not_there_is_told_with_its_remedy(unused_port):
    ((verdict, text, mend),) = await try_redis(f"redis://127.0.0.1:{unused_port}", "trial")

    assert (verdict, text.startswith("cannot be reached")) == ("problem", True)
    assert mend.startswith("start it, or correct fleet.redis_url")


async def test_a_frozen_redis_is_given_up(own_redis_server, monkeypatch):
    monkeypatch.setattr("ha_rag.assembly.redis_trial.TIMEOUT_S", 0.1)
    own_redis_server.pause()

    ((verdict, text, _),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("cannot be reached")) == ("problem", True)
