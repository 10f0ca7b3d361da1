"""All replies of a replica and of a dashboard conform to their own OpenAPI description.

schemathesis calls every operation of a real process: with valid and invalid data, with and without keys, and in
sequences in which one reply feeds the next request. Its checks: no 5xx; only described statuses, types and schemas;
invalid data is refused and valid data is not; 405 with the right Allow header for every other method; nothing without a
key. `schemathesis_hooks` has what the description cannot express.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fleet.processes import CONFIGURATION, HA_RAG, Controls, Process, Provider, is_ready, until_ready
from tests.local_pipeline import LOCAL_PIPELINE
from tests.ports import free_port
from tests.redis_servers import RedisProcess

HERE = Path(__file__).parent
SECRETS = {"HA_RAG_ADMIN_TOKEN": "operators-token", "HA_RAG_API_KEYS": "users-key"}


class SecuredProcess(Process):
    """A process that requires an API key or the operator token."""

    def __init__(self, name: str, folder: Path, command: list[str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(name, [*command, "--port", str(port)], folder, SECRETS)

    async def ready(self) -> bool:
        return await is_ready(self.url)


def replica_of(folder: Path, configuration: str) -> SecuredProcess:
    config = folder / "ha_rag.toml"
    config.write_text(configuration.format(index=folder / "index"))
    return SecuredProcess("rag", folder, [*HA_RAG, "serve", "--config", str(config)])


def start(process: Any, ready: Callable[[], Any]) -> None:
    process.start()
    asyncio.run(until_ready(ready, process))


def differences(url: str, folder: Path, *options: str) -> str:
    """The output of schemathesis if it finds differences; else ""."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json", "--checks", "all", *options,
    ]  # fmt: skip
    environment = {**os.environ, **SECRETS, "PYTHONPATH": str(HERE.parents[1])}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    print(result.stdout)
    return result.stdout + result.stderr if result.returncode else ""


@pytest.mark.timeout(300)
def test_every_reply_of_a_replica_is_as_described(tmp_path: Path):
    replica = replica_of(tmp_path, LOCAL_PIPELINE)
    start(replica, replica.ready)
    try:
        diff = differences(replica.url, tmp_path, "--max-examples", "40", "--seed", "1")
    finally:
        replica.stop()
    assert not diff
    assert "Traceback" not in replica.said()


@pytest.mark.fleet
@pytest.mark.timeout(300)
def test_every_reply_through_the_front_is_as_described(tmp_path: Path):
    replica = replica_of(tmp_path, LOCAL_PIPELINE)
    front = SecuredProcess("front", tmp_path, [sys.executable, "-m", "ha_rag.local_fleet.front", f"rag={replica.url}"])
    start(replica, replica.ready)
    try:
        start(front, front.ready)
        diff = differences(front.url, tmp_path, "--max-examples", "10", "--seed", "1")
    finally:
        front.stop()
        replica.stop()
    assert not diff
    assert "Traceback" not in front.said()


@pytest.mark.fleet
@pytest.mark.timeout(300)
def test_every_reply_of_a_dashboard_is_as_described(tmp_path: Path):
    redis = RedisProcess(tmp_path)
    redis.start()
    config = tmp_path / "ha_rag.toml"
    config.write_text(f'[fleet]\nredis_url = "{redis.url}"\n' + LOCAL_PIPELINE.format(index=tmp_path / "index"))
    dashboard = SecuredProcess("dashboard", tmp_path, [*HA_RAG, "dashboard", "--config", str(config)])
    try:
        start(dashboard, dashboard.ready)
        diff = differences(dashboard.url, tmp_path, "--max-examples", "40", "--seed", "1")
    finally:
        dashboard.stop()
        redis.kill()
    assert not diff
    assert "Traceback" not in dashboard.said()


FAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "garbage and errors": {"embeddings": {"mode": "garbage", "rate": 0.3}, "chat": {"mode": "error", "rate": 0.3}},
    "resets and garbage": {"embeddings": {"mode": "reset", "rate": 0.2}, "chat": {"mode": "garbage", "rate": 0.3}},
    "hanging": {"embeddings": {"mode": "throttle", "rate": 0.05}, "chat": {"mode": "hang", "rate": 0.1}},
}


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("faults", FAULTS)
def test_every_reply_is_as_described_while_services_fail_and_redis_restarts(tmp_path: Path, faults: str):
    redis, provider = RedisProcess(tmp_path), Provider(tmp_path)
    redis.start()
    configuration = CONFIGURATION.replace("{redis_url}", redis.url).replace("{provider}", provider.url)
    replica = replica_of(tmp_path, configuration.replace("{circuit}", "recovery_timeout_s = 1.8"))
    try:
        start(provider, lambda: with_controls(provider, "answers"))
        start(replica, replica.ready)
        for target, fault in FAULTS[faults].items():
            asyncio.run(with_controls(provider, "fail", target, for_s=900, **fault))
        with RestartLoop(redis):
            # 503 is described where it can occur; no other 5xx is described anywhere. Warnings are of what was not
            # reached, such as a list that Redis was never up to give: the runs without faults are held to them.
            faulty = ("--exclude-checks", "not_a_server_error", "--warnings", "off")
            diff = differences(replica.url, tmp_path, "--max-examples", "60", *faulty)
    finally:
        replica.stop()
        provider.stop()
        redis.kill()
    assert not diff
    assert "Traceback" not in replica.said()


async def with_controls(provider: Provider, verb: str, *words: Any, **more: Any) -> Any:
    async with aiohttp.ClientSession() as session:
        return await getattr(Controls(provider.url, session), verb)(*words, **more)


class RestartLoop:
    """Kills Redis, and starts it again empty, every few seconds."""

    EVERY_S = 5.0

    def __init__(self, redis: RedisProcess) -> None:
        self._redis = redis
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._restart)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _restart(self) -> None:
        while not self._stopped.wait(self.EVERY_S):
            self._redis.kill() if self._redis.runs else self._redis.start()
