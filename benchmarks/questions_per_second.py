"""Whole questions beside a bare app that makes the same two calls, and beside gateways that pass one call on.

    python -m benchmarks.questions_per_second [--seconds 5] [--rounds 3]

All use the same simulated provider and have one worker, and wrk asks them over 1, 16 and 64 connections, in each round
one after the other, so that a slow period affects all. Ours embeds the question, searches an index of docs/, generates,
and shares its circuits through Redis; the bare app (aiohttp) only makes the two calls; a gateway makes one, without
documents. The provider counts the calls. Where it is busy all the time, it may limit a fast server: that is told.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.one_question import CONFIGURATION, QUESTION
from benchmarks.own_redis import free_port, own_redis
from benchmarks.peers.gateways import GATEWAYS, Served, Site, cannot_run
from benchmarks.process_cost import cost
from benchmarks.processes import program, ready
from benchmarks.question_rates import BARE, CONNECTIONS, HEAD, OURS, Found, Measured, line, rows
from benchmarks.report.rows import publish
from benchmarks.wrk import FailedError, Request, load, require_wrk

CHAT = "ours, /v1/chat/completions"
STREAM = f"{CHAT}, stream"
MUST_RUN = (BARE, OURS, CHAT, STREAM)
DOCUMENTS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True)
class Provider:
    """The simulated provider."""

    url: str
    pid: int

    async def calls(self) -> dict[str, int]:
        """How many it received so far, by target."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/counts?last=0") as reply:
            counts = await reply.json()
        return {target: its["received"] for target, its in counts.items() if target != "arrivals"}


async def check(request: Request) -> None:
    """Asks once. Raises FailedError if the answer is an error or degraded."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(request.url, json=request.body, headers=request.headers) as reply,
    ):
        text = await reply.text()
    if reply.status != 200 or '"degraded":true' in text.replace(" ", ""):
        raise FailedError(f"it answered {reply.status}: {text[:300]}")


async def measured(server: Served, provider: Provider, connections: int, seconds: float) -> Measured:
    """One run. Raises FailedError."""
    before, provider_before, calls_before = cost(server.pid), cost(provider.pid), await provider.calls()
    found = await load(server.request, connections, seconds)
    after, provider_after, calls_after = cost(server.pid), cost(provider.pid), await provider.calls()
    await check(server.request)
    return Measured(
        load=found,
        busy=(after.processor_s - before.processor_s) / found.seconds,
        provider_busy=(provider_after.processor_s - provider_before.processor_s) / found.seconds,
        resident_mb=after.resident_mb,
        calls={target: (calls_after[target] - calls_before[target]) / found.answers for target in calls_after},
    )


async def compare(servers: dict[str, Served], provider: Provider, given: argparse.Namespace, found: Found) -> None:
    """All rounds, and a printed line for each contender and number of connections."""
    for name, server in servers.items():
        with left_out(name, found):
            await check(server.request)
            await load(server.request, 4, 1.0)
            found.runs[name] = {connections: [] for connections in CONNECTIONS}
    print(HEAD)
    for connections in CONNECTIONS:
        for _ in range(given.rounds):
            for name in tuple(found.runs):
                with left_out(name, found):
                    one = await measured(servers[name], provider, connections, given.seconds)
                    found.runs[name][connections].append(one)
        for name, its in found.runs.items():
            print(line(name, connections, its[connections]), flush=True)


@contextlib.contextmanager
def left_out(name: str, found: Found) -> Iterator[None]:
    """A peer that fails is left out from then on; ours and the bare app must not fail."""
    try:
        yield
    except FailedError as error:
        if name in MUST_RUN:
            sys.exit(f"{name}: {error}")
        found.leave_out(name, str(error))


async def started(site: Site, redis_url: str, stack: contextlib.AsyncExitStack, found: Found) -> dict[str, Served]:
    """Every contender that can run here, until the stack is left."""
    servers = await ours_and_bare(site, redis_url, stack)
    for name, gateway in GATEWAYS.items():
        if why := cannot_run(name):
            found.absent[name] = why
            continue
        with left_out(name, found):
            servers[name] = await stack.enter_async_context(gateway(site))
    return servers


async def ours_and_bare(site: Site, redis_url: str, stack: contextlib.AsyncExitStack) -> dict[str, Served]:
    """One replica with its three ways to ask, and the bare app."""
    config = site.folder / "ha_rag.toml"
    config.write_text(CONFIGURATION.format(redis_url=redis_url, index=site.folder / "index", provider=site.provider))
    subprocess.run([sys.executable, "-m", "ha_rag", "ingest", str(DOCUMENTS), "--config", str(config)], check=True)
    ports = [free_port(), free_port()]
    ours, bare = (f"http://127.0.0.1:{port}" for port in ports)
    replica = stack.enter_context(program("-m", "ha_rag", "serve", "--port", str(ports[0]), "--config", str(config)))
    app = stack.enter_context(
        program("-m", "benchmarks.bare_app", "--port", str(ports[1]), "--provider", site.provider)
    )
    await ready(f"{ours}/health/ready")
    await ready(f"{bare}/")
    chat = site.chat("ha_rag")
    return {
        BARE: Served(app.pid, Request(f"{bare}/v1/query", QUESTION)),
        OURS: Served(replica.pid, Request(f"{ours}/v1/query", QUESTION)),
        CHAT: Served(replica.pid, Request(f"{ours}/v1/chat/completions", chat)),
        STREAM: Served(replica.pid, Request(f"{ours}/v1/chat/completions", {**chat, "stream": True})),
    }


async def measure(redis_url: str, folder: Path, given: argparse.Namespace) -> None:
    """Starts all servers, compares them and tells what was found."""
    port, found = free_port(), Found()
    async with contextlib.AsyncExitStack() as stack:
        simulated = stack.enter_context(program("-m", "ha_rag.simulation", "--port", str(port)))
        provider = Provider(f"http://127.0.0.1:{port}", simulated.pid)
        await ready(f"{provider.url}/faults")
        site = Site(provider.url, folder, QUESTION["question"])
        await compare(await started(site, redis_url, stack, found), provider, given, found)
    its = rows(found, (*MUST_RUN, *GATEWAYS))
    for row in its:
        if row.unit == "ratio":
            print(
                f"{row.group}, {row.who}: {'not measured: ' + row.note if row.figure is None else f'{row.figure:.2f}'}"
            )
    publish(its)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    require_wrk()
    os.environ["HA_RAG_LOG"] = "console"
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(redis_url, Path(folder), given))


if __name__ == "__main__":
    main()
