"""Fleet: the service, its fallback, and replicas with one contender, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import aiohttp

from benchmarks.own_redis import free_port, own_redis
from benchmarks.peers.envoy import envoy
from benchmarks.peers.guards import Site
from benchmarks.peers.litellm_python import LITELLM, litellm_python
from benchmarks.processes import program, ready

ROOT = Path(__file__).parents[2]
LIBRARIES = {"interlock-cb": "interlock", "pybreaker": "pybreaker", "purgatory": "purgatory", "Envoy": "envoy"}
STARTED_S = 300.0
"""LiteLLM takes long to import, eight times at once."""


def cannot_run(guard: str) -> str:
    """Why this contender cannot be measured here; empty if it can."""
    if guard.startswith("LiteLLM"):
        return "" if litellm_python().exists() else f"not installed (make bench, or {LITELLM})"
    library = LIBRARIES.get(guard)
    there = library is None or importlib.util.find_spec(library) is not None
    return "" if there else "not installed (make bench)"


class EndedError(Exception):
    """A replica ended by itself, or did not start: with which status and last words."""


@dataclass
class Member:
    """A replica's process, and a way to command it. `errors`: what it writes to standard error."""

    process: asyncio.subprocess.Process
    errors: IO[bytes]

    async def __call__(self, do: str, **arguments: Any) -> Any:
        """Sends a command and waits for its reply."""
        await self.tell(do, **arguments)
        return await self.reply()

    async def tell(self, do: str, **arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        await self.process.stdin.drain()

    async def reply(self) -> Any:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            status = await self.process.wait()
            raise EndedError(f"a replica ended with status {status}: {self._last_words()}")
        return json.loads(line)

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@dataclass
class Fleet:
    """`service`: its own address, not that of an Envoy in front of it."""

    members: list[Member]
    service: str
    session: aiohttp.ClientSession

    async def mode(self, mode: str, delay_s: float = 0.0) -> float:
        """Changes how the service behaves. Returns when, on the monotonic clock."""
        async with self.session.put(f"{self.service}/mode", json={"mode": mode, "delay_s": delay_s}) as reply:
            return float((await reply.json())["changed_s"])

    async def calls(self) -> list[tuple[float, float | None]]:
        """When each call arrived and ended."""
        async with self.session.get(f"{self.service}/calls") as reply:
            return [(arrived, ended) for arrived, ended in await reply.json()]


@contextlib.asynccontextmanager
async def fleet(guard: str, replicas: int, *, open_s: float, timeout_s: float) -> AsyncIterator[Fleet]:
    """Starts all of it, with a Redis of its own."""
    ports = [free_port(), free_port()]
    service, fallback = (f"http://127.0.0.1:{port}" for port in ports)
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(own_redis())
        for port in ports:
            stack.enter_context(program("-m", "benchmarks.peers.service", "--port", str(port)))
        for address in (service, fallback):
            await ready(f"{address}/calls")
        site = Site(service=service, redis_url=redis_url, open_s=open_s, timeout_s=timeout_s)
        if guard == "Envoy":
            site = replace(site, service=stack.enter_context(envoy(site)))
            await ready(f"{site.service}/calls")
        async with aiohttp.ClientSession() as session, started(guard, site, fallback, replicas) as members:
            yield Fleet(members, service, session)


@contextlib.asynccontextmanager
async def started(guard: str, site: Site, fallback: str, replicas: int) -> AsyncIterator[list[Member]]:
    """Replicas that are ready for commands; they are killed at the end."""
    python = str(litellm_python()) if guard.startswith("LiteLLM") else sys.executable
    command = [python, "-m", "benchmarks.peers.replica", "--guard", guard, "--fallback", fallback]
    variables = {
        **os.environ, "PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "CRITICAL",
    }  # fmt: skip
    members: list[Member] = []
    with contextlib.ExitStack() as files:
        try:
            for _ in range(replicas):
                errors = files.enter_context(tempfile.TemporaryFile())
                process = await asyncio.create_subprocess_exec(
                    *command, "--site", json.dumps(asdict(site)), env=variables, limit=2**24,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                )  # fmt: skip
                members.append(Member(process, errors))
            await _ready(members)
            yield members
        finally:
            for member in members:
                with contextlib.suppress(ProcessLookupError):
                    member.process.kill()
                await member.process.wait()


async def _ready(members: Sequence[Member]) -> None:
    try:
        async with asyncio.timeout(STARTED_S):
            for member in members:
                await member.reply()
    except TimeoutError:
        raise EndedError(f"{len(members)} replicas were not ready within {STARTED_S:g} s") from None
