"""What `ha-rag check` finds in a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ha_rag.assembly.redis_trial import try_redis


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

    assert seen == [("ok", "reachable, with every right that is needed", "")]
    assert await operator.keys("*") == []


async def test_a_redis_that_throws_keys_away_is_a_warning(redis_server, operator):
    await operator.config_set("maxmemory-policy", "allkeys-lru")

    verdict, text, mend = (await try_redis(redis_server.url, "trial"))[-1]

    assert verdict == "warning"
    assert "allkeys-lru" in text
    assert "noeviction" in mend


@pytest.mark.parametrize(
    ("rights", "named"),
    [
        (["~trial:*", "resetchannels", "+@all"], "the channel"),
        (["~trial:*", "&trial:*", "+@all", "-eval"], "scripts"),
        (["~trial:*", "&trial:*", "+@all", "-xadd"], "the event stream"),
        (["~other:*", "&trial:*", "+@all"], "keys"),
    ],
)
async def test_a_right_that_is_missing_is_named_with_its_remedy(redis_server, operator, rights, named):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)

    seen = await try_redis(as_limited(redis_server.url), "trial")

    verdict, text, mend = seen[0]
    assert (verdict, text.startswith(f"{named} may not be used")) == ("problem", True)
    assert mend == f"give the ACL user the right to {named} under this namespace"


async def test_a_wrong_password_is_named_and_not_shown(redis_server, operator):
    await operator.execute_command("ACL", "SETUSER", "limited", "on", ">other", "+@all")

    ((verdict, text, mend),) = await try_redis(as_limited(redis_server.url), "trial")

    assert (verdict, text) == ("problem", "the user or password is refused")
    assert "redis_password_env" in mend


async def test_a_frozen_redis_is_given_up(own_redis_server, monkeypatch):
    monkeypatch.setattr("ha_rag.assembly.redis_trial.TIMEOUT_S", 0.1)
    own_redis_server.pause()

    ((verdict, text, _),) = await try_redis(own_redis_server.url, "trial")

    assert (verdict, text.startswith("cannot be reached")) == ("problem", True)
