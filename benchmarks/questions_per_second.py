"""Questions per second of one worker at 1, 16 and 64 connections, compared with a bare app that makes the same calls.

    python -m benchmarks.questions_per_second [--seconds 5] [--rounds 3]

Three servers of one process each: the simulated provider, one replica (embed over HTTP, search the index, generate over
HTTP, circuits shared through Redis) and the bare app (only the same two HTTP calls, aiohttp on both sides). The load
runs in this process. The replica and the bare app alternate in each round, so that a slow period affects both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

from benchmarks.own_redis import free_port, own_redis
from benchmarks.report.rows import Row, at_least, publish

QUESTION = {"question": "How does a circuit recover?"}

CONFIGURATION = """\
[fleet]
redis_url = "{redis_url}"
[index]
path = "{index}"
[[embedders]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "text-embedding-3-small"
dimension = 256
[[retrievers]]
name = "primary"
kind = "local"
[[generators]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o-mini"
"""


class NotServedError(Exception):
    """A question that was not answered as it should be; the text says what came instead."""


@contextlib.contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that ends with the block."""
    child = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()


async def load(
    url: str, connections: int, seconds: float, questions: Sequence[dict[str, str]] = (QUESTION,)
) -> tuple[float, float]:
    """Questions per second and median latency in ms of `connections` clients, each with one question at a time.

    Raises NotServedError.
    """
    latencies: list[float] = []
    end = time.monotonic() + seconds
    bodies = itertools.cycle(questions)

    async def ask(session: aiohttp.ClientSession) -> None:
        while (begin := time.monotonic()) < end:
            async with session.post(url, json=next(bodies)) as reply:
                body = await reply.json()
                if reply.status != 200 or body.get("degraded"):
                    raise NotServedError(f"status {reply.status}, degraded stages: {body.get('degraded_stages')}")
            latencies.append(time.monotonic() - begin)

    begin = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(ask(session) for _ in range(connections)))
    return len(latencies) / (time.monotonic() - begin), statistics.median(latencies) * 1000


async def ready(url: str, within_s: float = 30) -> None:
    """Waits until the URL answers with a status below 500. Raises TimeoutError."""
    async with asyncio.timeout(within_s), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as reply:
                    if reply.status < 500:
                        return
            await asyncio.sleep(0.1)


async def compare(ours: str, bare: str, seconds: float, rounds: int) -> None:
    """Prints a row for each number of connections."""
    print(f"{'connections':>12}{'ours/s':>10}{'p50 ms':>9}{'bare/s':>10}{'p50 ms':>9}{'ratio':>8}")
    found: list[Row] = []
    for connections in (1, 16, 64):
        rows = []
        for _ in range(rounds):
            our = await load(f"{ours}/v1/query", connections, seconds)
            their = await load(f"{bare}/v1/query", connections, seconds)
            rows.append((*our, *their, our[0] / their[0]))
        ours_s, ours_ms, bare_s, bare_ms, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{connections:12}{ours_s:10.0f}{ours_ms:9.2f}{bare_s:10.0f}{bare_ms:9.2f}{ratio:8.2f}")
        found += rows_of(connections, rows)
    print("target: a ratio of at least 0.5 (about 1,000 questions per second on the reference machine)")
    publish(found)


def rows_of(connections: int, rounds: Sequence[tuple[float, ...]]) -> list[Row]:
    """The figures with one number of connections."""
    ours_s, _, bare_s, _, ratio = (list(column) for column in zip(*rounds, strict=True))
    group = f"{connections} connections" if connections > 1 else "one connection"
    return [
        Row.of(f"questions, {group}", "ours", "1/s", ours_s),
        Row.of(f"questions, {group}", "bare app, the same two calls", "1/s", bare_s),
        Row.of(f"ours / bare app, {group}", "ours", "ratio", ratio, bar=at_least(0.5)),
    ]


async def measure(redis_url: str, folder: Path, seconds: float, rounds: int) -> None:
    """Starts the three servers and compares."""
    ports = [free_port() for _ in range(3)]
    provider, ours, bare = (f"http://127.0.0.1:{port}" for port in ports)
    config = folder / "ha_rag.toml"
    config.write_text(CONFIGURATION.format(redis_url=redis_url, index=folder / "index", provider=provider))
    documents = Path(__file__).parent.parent / "docs"
    os.environ["HA_RAG_LOG"] = "console"
    with program("-m", "ha_rag.simulation", "--port", str(ports[0])):
        await ready(f"{provider}/faults")
        subprocess.run([sys.executable, "-m", "ha_rag", "ingest", str(documents), "--config", str(config)], check=True)
        replica = program("-m", "ha_rag", "serve", "--port", str(ports[1]), "--config", str(config))
        app = program("-m", "benchmarks.bare_app", "--port", str(ports[2]), "--provider", provider)
        with replica, app:
            await ready(f"{ours}/health/ready")
            await ready(f"{bare}/")
            await load(f"{ours}/v1/query", 4, 1.0)
            await load(f"{bare}/v1/query", 4, 1.0)
            await compare(ours, bare, seconds, rounds)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(redis_url, Path(folder), given.seconds, given.rounds))


if __name__ == "__main__":
    main()
