"""The Redis servers that other tests use behave as documented."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import redis

from tests.redis_servers import RedisProcess, redis_binary
from tests.waiting import PATIENCE_S


def program(folder: Path) -> Path:
    folder.mkdir(parents=True)
    file = folder / "redis-server"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def in_a_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's redis-server, whose folder alone is the PATH."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    file = program(tmp_path / "venv" / "bin")
    monkeypatch.setenv("PATH", str(file.parent))
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    return file


def test_the_systems_server_is_found_behind_an_activated_environments(
    in_a_venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = program(tmp_path / "usr" / "bin")
    monkeypatch.setenv("PATH", f"{in_a_venv.parent}{os.pathsep}{system.parent}")
    assert redis_binary() == str(system)


def test_where_only_an_environment_has_a_server_there_is_none(in_a_venv: Path) -> None:
    assert redis_binary() is None


def test_a_server_that_is_named_is_taken_wherever_it_is(in_a_venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SERVER", str(in_a_venv))
    assert redis_binary() == str(in_a_venv)


def test_any_redis_answers_and_runs_lua(any_redis_url: str) -> None:
    with redis.Redis.from_url(any_redis_url) as client:
        assert client.ping()
        assert client.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, "counter", "3") == 3


def test_any_redis_starts_empty(any_redis_url: str) -> None:
    with redis.Redis.from_url(any_redis_url) as client:
        assert client.dbsize() == 0


def test_any_redis_delivers_published_messages(any_redis_url: str) -> None:
    with redis.Redis.from_url(any_redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("news")
        listener.get_message(timeout=PATIENCE_S)
        client.publish("news", "opened")
        assert listener.get_message(timeout=PATIENCE_S)["data"] == b"opened"


@pytest.mark.real_redis
def test_a_paused_server_keeps_connections_and_answers_after_it_is_resumed(own_redis_server: RedisProcess) -> None:
    url = own_redis_server.url
    with redis.Redis.from_url(url) as client, redis.Redis.from_url(url, socket_timeout=0.1, retry=None) as hasty:
        number = client.client_id()
        own_redis_server.pause()
        with pytest.raises(redis.TimeoutError):
            hasty.ping()
        own_redis_server.resume()
        assert client.client_id() == number


@pytest.mark.real_redis
def test_a_restarted_server_has_the_same_address_and_no_data(own_redis_server: RedisProcess) -> None:
    with redis.Redis.from_url(own_redis_server.url) as client:
        client.set("key", "value")
    own_redis_server.restart_empty()
    with redis.Redis.from_url(own_redis_server.url) as client:
        assert client.get("key") is None


@pytest.mark.real_redis
def test_the_shared_server_counts_its_commands(redis_server: RedisProcess) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        for _ in range(3):
            client.ping()
    assert redis_server.commands()["ping"] == 3
