"""Latency of questions with Redis frozen, refused or 100 ms slow, compared with a healthy Redis: p50, p99, failures.

    python -m benchmarks.redis_outage [--rounds 8] [--seconds 4] [--per-s 100]

One replica over HTTP, embedding and generating over HTTP, circuits shared through a Redis behind a proxy. Questions
arrive at a constant rate, independent of their latency. In each round every fault follows a healthy period and is
measured from its start, so the time until the replica detects it is included. The proxy's own cost is in both.
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

from benchmarks.one_question import CONFIGURATION, QUESTION
from benchmarks.own_redis import free_port, own_redis
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_most, publish
from tests.fleet.control import Remote
from tests.fleet.proxy import Wire

TARGET_RATIO = 1.2
SETTLE_S = 10.0

Act = Callable[[], Awaitable[None]]


@dataclass
class Period:
    """Questions under one condition: their latencies in ms, and how many were not answered in full."""

    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, other: Period) -> None:
        self.took_ms += other.took_ms
        self.failed += other.failed

    def percentile(self, share: float) -> float:
        ordered = sorted(self.took_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def ask(session: aiohttp.ClientSession, url: str, into: Period) -> None:
    """Sends one question."""
    began = time.perf_counter()
    try:
        async with session.post(url, json=QUESTION) as reply:
            body = await reply.json()
            into.failed += reply.status != 200 or bool(body.get("degraded"))
    except (aiohttp.ClientError, TimeoutError):
        into.failed += 1
    into.took_ms.append(1000 * (time.perf_counter() - began))


async def load(session: aiohttp.ClientSession, url: str, per_s: float, seconds: float) -> Period:
    """Questions at a constant rate."""
    period, loop = Period(), asyncio.get_running_loop()
    tasks = []
    due = loop.time()
    for _ in range(round(per_s * seconds)):
        tasks.append(asyncio.create_task(ask(session, url, period)))
        due += 1 / per_s
        await asyncio.sleep(max(0.0, due - loop.time()))
    await asyncio.gather(*tasks)
    return period


async def until(session: aiohttp.ClientSession, url: str, state: str) -> None:
    """Asks until an answer's `shared_state` is `state`."""
    async with asyncio.timeout(SETTLE_S):
        while True:
            async with session.post(f"{url}/v1/query", json=QUESTION) as reply:
                if (await reply.json())["shared_state"] == state:
                    return
            await asyncio.sleep(0.05)


async def rounds(
    url: str, faults: dict[str, tuple[Act, Act]], number: int, per_s: float, seconds: float
) -> dict[str, tuple[Period, Period, list[float]]]:
    """Fault -> all healthy periods before it, all periods under it, and the p99 ratio of each round."""
    found: dict[str, tuple[Period, Period, list[float]]] = {name: (Period(), Period(), []) for name in faults}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await load(session, f"{url}/v1/query", per_s, 2.0)
        for _ in range(number):
            for name, (start, recover) in faults.items():
                await until(session, url, "fresh")
                healthy = await load(session, f"{url}/v1/query", per_s, seconds)
                await start()
                faulty = await load(session, f"{url}/v1/query", per_s, seconds)
                await recover()
                all_healthy, all_faulty, ratios = found[name]
                all_healthy.add(healthy)
                all_faulty.add(faulty)
                ratios.append(faulty.percentile(0.99) / healthy.percentile(0.99))
    return found


def show(found: dict[str, tuple[Period, Period, list[float]]]) -> None:
    """Prints a row for each fault. "by round": the median of the rounds' p99 ratios."""
    titles = ("questions", "failed", "p50 ms", "p99 ms", "healthy p50", "and p99", "p50 ratio", "p99 ratio", "by round")
    print(f"{'Redis':>12}" + "".join(f"{title:>13}" for title in titles))
    for name, (healthy, faulty, ratios) in found.items():
        p50, p99 = faulty.percentile(0.5), faulty.percentile(0.99)
        well_p50, well_p99 = healthy.percentile(0.5), healthy.percentile(0.99)
        figures = (p50, p99, well_p50, well_p99, p50 / well_p50, p99 / well_p99, statistics.median(ratios))
        row = f"{name:>12}{len(faulty.took_ms):13}{faulty.failed:13}"
        print(row + "".join(f"{figure:13.2f}" for figure in figures))
    print(f"target: a p99 ratio of at most {TARGET_RATIO}, and no question failed")


def rows(found: dict[str, tuple[Period, Period, list[float]]]) -> list[Row]:
    """The ratio in each round, and the questions that failed."""
    return [
        *(
            Row.of(
                "p99 / p99 with Redis healthy just before", f"ours, {name}", "ratio", ratios, bar=at_most(TARGET_RATIO)
            )
            for name, (_, _, ratios) in found.items()
        ),
        *(
            Row.of(
                "questions failed",
                f"ours, {name}",
                "",
                [faulty.failed],
                bar=at_most(0),
                note=f"of {len(faulty.took_ms)}",
            )
            for name, (_, faulty, _) in found.items()
        ),
    ]


async def measure(redis: tuple[str, int], folder: Path, given: argparse.Namespace) -> None:
    """Starts the provider, the proxy and the replica, and measures."""
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
            found = await rounds(ours, faults(wire, redis_pid), given.rounds, given.per_s, given.seconds)
            show(found)
            publish(rows(found))
        finally:
            os.kill(redis_pid, signal.SIGCONT)
            await remote.aclose()


def faults(wire: Wire, redis_pid: int) -> dict[str, tuple[Act, Act]]:
    """Fault -> functions that start and end it. "healthy": no fault, to show how much two healthy periods differ."""

    async def send_signal(number: signal.Signals) -> None:
        os.kill(redis_pid, number)

    async def nothing() -> None: ...

    return {
        "healthy": (nothing, nothing),
        "frozen": (lambda: send_signal(signal.SIGSTOP), lambda: send_signal(signal.SIGCONT)),
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
    """The process id of a local Redis."""
    import redis

    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


if __name__ == "__main__":
    main()
