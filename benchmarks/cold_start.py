"""From its start to ready, its memory, and from SIGTERM to its end: one replica beside LiteLLM's proxy.

    python -m benchmarks.cold_start [--rounds 5] [--passages 10000] [--slow 2.0] [--held 16]

The replica has an index of 10,000 made passages and shares its circuits through Redis; the proxy has one model and
no database. Both ask the same service. They are stopped twice in each round: without requests, and while each of
`--held` requests waits for a service that takes `--slow` seconds; then it counts how many are answered all the same.
Memory is resident when ready, mapped files included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.grown_index import GrownIndexes
from benchmarks.made_text import MadeText
from benchmarks.own_redis import free_port, own_redis
from benchmarks.peers.litellm_python import litellm_python
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_least, at_most, publish

POLL_S = 0.01
LONGEST_START_S, LONGEST_STOP_S = 120.0, 60.0
READY_WITHIN_S = 2

OURS, LITELLM = "ours", "LiteLLM's proxy"

REPLICA = """\
[fleet]
redis_url = "{redis_url}"
[index]
path = "{index}"
[server]
request_timeout_s = 60
[[embedders]]
name = "primary"
kind = "local"
[[retrievers]]
name = "primary"
kind = "local"
[[generators]]
name = "primary"
kind = "openai"
base_url = "{service}/v1"
model = "gpt-4o-mini"
timeout_s = 30
"""
PROXY = """\
model_list:
  - model_name: gpt-4o-mini
    litellm_params:
      model: openai/gpt-4o-mini
      api_base: {service}/v1
      api_key: none
"""


class NotRunError(Exception):
    """A contender did not start, or did not end; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """How it is started, when it is ready, and how it is asked. `port`: on loopback."""

    command: Sequence[str]
    port: int
    ready_path: str
    question_path: str
    question: Mapping[str, object]
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass
class Found:
    """What was measured, a figure for each round. `answered`: of the requests that were held when it was stopped."""

    ready_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    idle_stop_s: list[float] = field(default_factory=list)
    held_stop_s: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Site:
    """Where contenders run. `service`: the URL of what they ask."""

    service: str
    redis_url: str
    index: Path
    folder: Path

    def ours(self) -> Contender:
        config, port = self.folder / "ha_rag.toml", free_port()
        config.write_text(REPLICA.format(redis_url=self.redis_url, index=self.index, service=self.service))
        return Contender(
            command=[sys.executable, "-m", "ha_rag", "serve", "--port", str(port), "--config", str(config)], port=port,
            ready_path="/health/ready", question_path="/v1/query", question={"question": MadeText().question(1)},
            environment={"HA_RAG_LOG": "console"},
        )  # fmt: skip

    def litellm(self) -> Contender:
        """Raises NotRunError if its proxy is not installed."""
        executable = litellm_python().parent / "litellm"
        if not executable.exists():
            raise NotRunError("LiteLLM's proxy is not installed (make bench)")
        config, port, key = self.folder / "litellm.yaml", free_port(), f"sk-{secrets.token_hex(16)}"
        config.write_text(PROXY.format(service=self.service))
        return Contender(
            command=[str(executable), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)], port=port,
            ready_path="/health/readiness", question_path="/v1/chat/completions",
            question={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": MadeText().question(1)}]},
            environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": key},
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip


@contextlib.asynccontextmanager
async def process_of(contender: Contender) -> AsyncIterator[asyncio.subprocess.Process]:
    """Its process, which ends with the block. What it prints is read only if it does not start."""
    with tempfile.TemporaryFile() as printed:
        process = await asyncio.create_subprocess_exec(
            *contender.command, stdout=printed, stderr=printed, env={**os.environ, **contender.environment}
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def started(contender: Contender, process: asyncio.subprocess.Process) -> None:
    """Waits until it says that it is ready. Raises NotRunError."""
    end_s = time.monotonic() + LONGEST_START_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end_s:
            if process.returncode is not None:
                raise NotRunError(f"it ended with status {process.returncode} before it was ready")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(contender.url(contender.ready_path)) as reply:
                    if reply.status == 200:
                        return
            await asyncio.sleep(POLL_S)
    raise NotRunError(f"it was not ready within {LONGEST_START_S:g} s")


async def stopped(process: asyncio.subprocess.Process) -> float:
    """Sends SIGTERM; returns the seconds until its end. Raises NotRunError."""
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), LONGEST_STOP_S)
    except TimeoutError:
        raise NotRunError(f"it did not end within {LONGEST_STOP_S:g} s of SIGTERM") from None
    return time.monotonic() - began_s


def resident_mb(process: int) -> float:
    """The memory of a process and of those that it has started."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    children = Path(f"/proc/{process}/task/{process}/children").read_text("utf-8").split()
    return (int(found[1]) / 1000 if found else 0.0) + sum(resident_mb(int(child)) for child in children)


async def alone(contender: Contender, found: Found) -> None:
    """Start, memory, and stop without requests."""
    began_s = time.monotonic()
    async with process_of(contender) as process:
        await started(contender, process)
        found.ready_s.append(time.monotonic() - began_s)
        found.memory_mb.append(resident_mb(process.pid))
        found.idle_stop_s.append(await stopped(process))


async def holding(contender: Contender, service: str, given: argparse.Namespace, found: Found) -> None:
    """Stop while requests wait for the service."""
    async with process_of(contender) as process, aiohttp.ClientSession(headers=contender.headers) as session:
        await started(contender, process)
        await _ask(session, contender)
        asked = [asyncio.create_task(_ask(session, contender)) for _ in range(given.held)]
        await _arrived(session, service, given.held)
        found.held_stop_s.append(await stopped(process))
        found.answered.append(sum(await asyncio.gather(*asked)))


async def _ask(session: aiohttp.ClientSession, contender: Contender) -> bool:
    """Whether a question is answered."""
    try:
        async with session.post(contender.url(contender.question_path), json=contender.question) as reply:
            await reply.read()
            return reply.status == 200
    except aiohttp.ClientError:
        return False


async def _arrived(session: aiohttp.ClientSession, service: str, calls: int) -> None:
    """Waits until so many calls are in progress at the service. Raises NotRunError."""
    end_s = time.monotonic() + LONGEST_START_S
    while time.monotonic() < end_s:
        async with session.get(f"{service}/calls") as reply:
            if sum(ended is None for _, ended in await reply.json()) >= calls:
                return
        await asyncio.sleep(POLL_S)
    raise NotRunError(f"{calls} questions at once did not reach the service")


async def measure(contender: Contender, service: str, given: argparse.Namespace) -> Found:
    """All rounds of one contender."""
    found = Found()
    for _ in range(given.rounds):
        await alone(contender, found)
        async with slow(service, given.slow):
            await holding(contender, service, given, found)
    return found


@contextlib.asynccontextmanager
async def slow(service: str, delay_s: float) -> AsyncIterator[None]:
    """The service takes so long for each call."""
    async with aiohttp.ClientSession() as session:
        await session.put(f"{service}/mode", json={"mode": "slow", "delay_s": delay_s})
        try:
            yield
        finally:
            await session.put(f"{service}/mode", json={"mode": "ok"})


def rows(who: str, found: Found | str, given: argparse.Namespace) -> Iterator[Row]:
    """The figures of one contender, or why there are none."""
    quick = at_most(READY_WITHIN_S) if who == OURS else None
    if isinstance(found, str):
        yield Row.absent("from start to ready", who, "s", found, quick)
        return
    held = f"{given.held} requests that take {given.slow:g} s"
    all_of_them = at_least(given.held) if who == OURS else None
    yield Row.of("from start to ready", who, "s", found.ready_s, bar=quick)
    yield Row.of("resident memory when ready", who, "MB", found.memory_mb)
    yield Row.of("from SIGTERM to its end, without requests", who, "s", found.idle_stop_s)
    yield Row.of(f"from SIGTERM to its end, with {held}", who, "s", found.held_stop_s)
    yield Row.of(f"answered after SIGTERM, of {held}", who, "requests", found.answered, bar=all_of_them)


async def compare(site: Site, given: argparse.Namespace) -> list[Row]:
    """One contender after the other."""
    its: list[Row] = []
    for who, made in ((OURS, site.ours), (LITELLM, site.litellm)):
        try:
            found: Found | str = await measure(made(), site.service, given)
        except NotRunError as error:
            found = str(error)
        its += rows(who, found, given)
    for row in sorted(its, key=lambda row: row.group):
        figure = row.note if row.figure is None else f"{row.figure:.2f} {row.unit}"
        print(f"{row.group:70}{row.who:18}{figure}")
    return sorted(its, key=lambda row: row.group)


async def run(given: argparse.Namespace, folder: Path, redis_url: str) -> list[Row]:
    """Makes the index and the service that both contenders ask."""
    (folder / "indexes").mkdir()
    index = await GrownIndexes(folder / "indexes").of(given.passages)
    port = free_port()
    with program("-m", "benchmarks.peers.service", "--port", str(port)):
        service = f"http://127.0.0.1:{port}"
        await ready(f"{service}/calls")
        return await compare(Site(service=service, redis_url=redis_url, index=index, folder=folder), given)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--passages", type=int, default=10_000)
    arguments.add_argument("--slow", type=float, default=2.0, help="seconds that the service takes")
    arguments.add_argument("--held", type=int, default=16, help="requests in progress at SIGTERM")
    given = arguments.parse_args()
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        publish(asyncio.run(run(given, Path(folder), redis_url)))


if __name__ == "__main__":
    main()
