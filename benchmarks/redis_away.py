"""Whole questions with Redis frozen, refused or 100 ms slow, beside the same with Redis healthy: p50, p99 and how many
failed.

    python -m benchmarks.redis_away [--rounds 8] [--seconds 4] [--per-s 100]

One replica over HTTP, embedding and generating over HTTP, circuits shared through a Redis that it reaches over a wire
of its own. Questions come at a steady rate, however long each takes, so that a wait shows as what it is. In each round
every fault has a healthy stretch right before it, and is measured from the moment it strikes: the time in which the
replica finds out is in the figures. What the wire itself costs is in both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.own_redis import free_port, own_redis
from benchmarks.questions_per_second import CONFIGURATION, QUESTION, program, ready
from tests.fleet.control import Remote
from tests.fleet.proxy import Wire

BAR = 1.2
SETTLE_S = 10.0

Act = Callable[[], Awaitable[None]]


@dataclass
class Stretch:
    """Questions under one condition: how long each took in ms, and how many were not answered in full."""

    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, other: Stretch) -> None:
        self.took_ms += other.took_ms
        self.failed += other.failed

    def percentile(self, share: float) -> float:
        ordered = sorted(self.took_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def ask(session: aiohttp.ClientSession, url: str, into: Stretch) -> None:
    """One question."""
    began = time.perf_counter()
    try:
        async with session.post(url, json=QUESTION) as reply:
            body = await reply.json()
            into.failed += reply.status != 200 or bool(body.get("degraded"))
    except (aiohttp.ClientError, TimeoutError):
        into.failed += 1
    into.took_ms.append(1000 * (time.perf_counter() - began))


async def load(session: aiohttp.ClientSession, url: str, per_s: float, seconds: float) -> Stretch:
    """Questions at a steady rate."""
    stretch, loop = Stretch(), asyncio.get_running_loop()
    asked = []
    due = loop.time()
    for _ in range(round(per_s * seconds)):
        asked.append(asyncio.create_task(ask(session, url, stretch)))
        due += 1 / per_s
        await asyncio.sleep(max(0.0, due - loop.time()))
    await asyncio.gather(*asked)
    return stretch


async def until(session: aiohttp.ClientSession, url: str, state: str) -> None:
    """Asks until an answer is as fresh as that."""
    async with asyncio.timeout(SETTLE_S):
        while True:
            async with session.post(f"{url}/v1/query", json=QUESTION) as reply:
                if (await reply.json())["shared_state"] == state:
                    return
            await asyncio.sleep(0.05)


async def rounds(
    url: str, faults: dict[str, tuple[Act, Act]], number: int, per_s: float, seconds: float
) -> dict[str, tuple[Stretch, Stretch, list[float]]]:
    """For each fault: everything healthy before it, everything under it, and the ratio of both p99 in each round."""
    found: dict[str, tuple[Stretch, Stretch, list[float]]] = {name: (Stretch(), Stretch(), []) for name in faults}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await load(session, f"{url}/v1/query", per_s, 2.0)
        for _ in range(number):
            for name, (strike, recover) in faults.items():
                await until(session, url, "fresh")
                healthy = await load(session, f"{url}/v1/query", per_s, seconds)
                await strike()
                struck = await load(session, f"{url}/v1/query", per_s, seconds)
                await recover()
                all_healthy, all_struck, ratios = found[name]
                all_healthy.add(healthy)
                all_struck.add(struck)
                ratios.append(struck.percentile(0.99) / healthy.percentile(0.99))
    return found


def show(found: dict[str, tuple[Stretch, Stretch, list[float]]]) -> None:
    """A row for each fault. "by round": the median of the rounds' own ratios of both p99."""
    titles = ("questions", "failed", "p50 ms", "p99 ms", "healthy p50", "and p99", "p50 ratio", "p99 ratio", "by round")
    print(f"{'Redis':>12}" + "".join(f"{title:>13}" for title in titles))
    for name, (healthy, struck, ratios) in found.items():
        p50, p99 = struck.percentile(0.5), struck.percentile(0.99)
        well_p50, well_p99 = healthy.percentile(0.5), healthy.percentile(0.99)
        figures = (p50, p99, well_p50, well_p99, p50 / well_p50, p99 / well_p99, statistics.median(ratios))
        row = f"{name:>12}{len(struck.took_ms):13}{struck.failed:13}"
        print(row + "".join(f"{figure:13.2f}" for figure in figures))
    print(f"bar: a p99 ratio of at most {BAR}, and no question failed")


async def measure(redis: tuple[str, int], folder: Path, given: argparse.Namespace) -> None:
    """Starts the provider, the wire and the replica, and measures."""
    redis_url, redis_pid = redis
    ports = [free_port() for _ in range(2)]
    provider, ours = (f"http://127.0.0.1:{port}" for port in ports)
    socket, config = folder / "wire.sock", folder / "ha_rag.toml"
    with contextlib.ExitStack() as stack:
        stack.enter_context(program("-m", "ha_rag.simulation", "--port", str(ports[0])))
        proxy = subprocess.Popen([sys.executable, "-m", "tests.fleet.proxy", str(socket)], stdin=subprocess.PIPE)
        stack.callback(proxy.wait, 10)
        stack.callback(proxy.kill)
        remote = await Remote.open(socket, lambda: proxy.poll() is None)
        wire = Wire(remote, await remote("route", to=int(redis_url.rpartition(":")[2].partition("/")[0])))
        config.write_text(
            CONFIGURATION.format(
                redis_url=f"redis://127.0.0.1:{wire.port}/0", index=folder / "index", provider=provider
            )
        )
        await ready(f"{provider}/faults")
        documents = Path(__file__).parent.parent / "docs"
        command = [sys.executable, "-m", "ha_rag", "ingest", str(documents), "--config", str(config)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        stack.enter_context(program("-m", "ha_rag", "serve", "--port", str(ports[1]), "--config", str(config)))
        await ready(f"{ours}/health/ready")
        try:
            show(await rounds(ours, faults(wire, redis_pid), given.rounds, given.per_s, given.seconds))
        finally:
            os.kill(redis_pid, signal.SIGCONT)
            await remote.aclose()


def faults(wire: Wire, redis_pid: int) -> dict[str, tuple[Act, Act]]:
    """What strikes, and what takes it back. "healthy": nothing, to see how far two healthy stretches differ."""

    async def signalled(number: signal.Signals) -> None:
        os.kill(redis_pid, number)

    async def nothing() -> None: ...

    return {
        "healthy": (nothing, nothing),
        "frozen": (lambda: signalled(signal.SIGSTOP), lambda: signalled(signal.SIGCONT)),
        "refused": (lambda: wire.set(refusing=True), lambda: wire.set(refusing=False)),
        "100 ms slow": (lambda: wire.set(delay_s=0.1), lambda: wire.set(delay_s=0.0)),
    }


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=8)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument("--per-s", type=float, default=100.0)
    given = arguments.parse_args()
    with own_redis() as url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure((url, pid_of(url)), Path(folder), given))


def pid_of(url: str) -> int:
    """The process behind a Redis of our own."""
    import redis

    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


if __name__ == "__main__":
    main()
