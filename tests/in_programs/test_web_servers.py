"""Web servers with several worker processes: each worker has a link of its own, and leaves when it is stopped."""

from __future__ import annotations

import pytest

from tests.in_programs.programs import replicas, server, workers_agree
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.real_redis

SHOP = "tests.in_programs.web_shop"


@pytest.mark.parametrize("framework", ["flask", "django"])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
async def test_workers_that_gunicorn_forks_from_a_preloaded_application_share_their_circuits_and_leave(
    framework: str, worker: str, redis_server: RedisProcess, unused_port: int
) -> None:
    for library in ("gunicorn", framework, *(["gevent"] if worker == "gevent" else [])):
        pytest.importorskip(library)
    words = ("gunicorn", "--no-control-socket", "--preload", "--workers", "2", "--worker-class", worker)
    address = ("--bind", f"127.0.0.1:{unused_port}")
    preloaded = 1 if framework == "flask" else 0  # it enters the registry before the fork
    with server(*words, *address, f"{SHOP}:{framework}_app()", redis=redis_server.url, port=unused_port):
        await workers_agree(unused_port, 2, others=preloaded)
        assert await replicas(redis_server.url) == 2 + preloaded
    assert await replicas(redis_server.url) == 0


async def test_the_workers_of_uvicorn_join_at_their_first_call_and_share_their_circuits(
    redis_server: RedisProcess, unused_port: int
) -> None:
    words = ("uvicorn", "--workers", "2", "--lifespan", "off", "--log-level", "warning", "--port", str(unused_port))
    with server(*words, f"{SHOP}:asgi_app", redis=redis_server.url, port=unused_port):
        await workers_agree(unused_port, 2)
