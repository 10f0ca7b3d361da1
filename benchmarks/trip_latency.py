"""Time from the deciding failure in one process to a refusal in eight others: p50 and p99 over 100 trips.

    python -m benchmarks.trip_latency [--trips 100] [--processes 8]

Nine real processes share one redis-server. In each trip the first one reports failures until the circuit opens; each
of the others asks its breaker when it receives a change, and records when it was refused (no busy loops: eight of them
would measure the scheduler of a two-core machine). After each trip the same processes receive a bare message on another
channel: the cost of the machine, Redis and its client alone. Times are of the machine's monotonic clock, which the
processes share.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

import redis.asyncio

from benchmarks.own_redis import own_redis
from benchmarks.report.rows import Bar, Row, at_most, publish
from ha_rag import CircuitPolicy, CircuitRegistry
from ha_rag.assembly.replica import loop_factory

POLICY = CircuitPolicy(min_samples=5, recovery_timeout_s=60.0)
CIRCUIT = "service"
CHANNEL = "bare"
PAUSE_S = 0.25
"""Pause between trips: a replica sends at most ten immediate reports per second, and outages are rarer than that."""

REPORTED_S = 0.05
"""Time for the failures before the deciding one to reach Redis, as they do when failures occur one by one."""


def watcher(url: str, pipe: Connection) -> None:
    """A process that records when it is first refused in each trip, and when it receives each bare message."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_watch(url, pipe))


async def _watch(url: str, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    client = redis.asyncio.Redis.from_url(url)
    bare = client.pubsub()
    await bare.subscribe(CHANNEL)
    await bare.get_message(timeout=5)
    async with CircuitRegistry.connect(url, namespace="bench", sinks=[lambda _: changed.set()]) as circuits:
        while (name := await loop.run_in_executor(None, pipe.recv)) is not None:
            breaker = circuits.breaker(name, POLICY)
            while breaker.shared_state != "fresh" or not breaker.admit().permitted:
                await asyncio.sleep(0.001)
            pipe.send("ready")
            while breaker.admit().permitted:
                changed.clear()
                await changed.wait()
            pipe.send(time.monotonic())
            await loop.run_in_executor(None, pipe.recv)
            pipe.send("ready")
            await bare.get_message(timeout=5)
            pipe.send(time.monotonic())
    await bare.unsubscribe()
    await client.aclose()


async def received(pipes: list[Connection], begun_s: float) -> list[float]:
    """Milliseconds until each process reported."""
    loop = asyncio.get_running_loop()
    return [(await loop.run_in_executor(None, pipe.recv) - begun_s) * 1000 for pipe in pipes]


async def prepare(pipes: list[Connection], what: str) -> None:
    """Announces the next trip or message to every process, and waits until all are ready."""
    loop = asyncio.get_running_loop()
    for pipe in pipes:
        pipe.send(what)
    for pipe in pipes:
        await loop.run_in_executor(None, pipe.recv)


async def trip(circuits: CircuitRegistry, name: str, pipes: list[Connection]) -> list[float]:
    """One trip: milliseconds until each watcher was refused."""
    breaker = circuits.breaker(name, POLICY)
    await prepare(pipes, name)
    *first, deciding = [breaker.admit().permit for _ in range(POLICY.min_samples)]
    assert deciding is not None
    for permit in first:
        assert permit is not None
        permit.failed()
    await asyncio.sleep(REPORTED_S)
    decided = time.monotonic()
    deciding.failed()
    return await received(pipes, decided)


async def measure(url: str, pipes: list[Connection], trips: int) -> tuple[list[list[float]], list[list[float]]]:
    """All trips of one circuit, closed by an override after each, with a bare message in between."""
    times, bare = [], []
    client = redis.asyncio.Redis.from_url(url)
    async with CircuitRegistry.connect(url, namespace="bench", replica="tripper") as circuits:
        for _ in range(trips):
            times.append(await trip(circuits, CIRCUIT, pipes))
            await circuits.override(CIRCUIT, "closed", reason="for the next trip", by="benchmark")
            await circuits.end_override(CIRCUIT, by="benchmark")
            await asyncio.sleep(PAUSE_S)
            await prepare(pipes, CHANNEL)
            begun_s = time.monotonic()
            await client.publish(CHANNEL, "x")
            bare.append(await received(pipes, begun_s))
    await client.aclose()
    for pipe in pipes:
        pipe.send(None)
    return times, bare


def show(title: str, times: list[list[float]]) -> None:
    """Prints two rows: over all processes, and for the last process of each round."""
    each = sorted(ms for row in times for ms in row)
    last = sorted(max(row) for row in times)
    for who, values in (("each process", each), ("last process", last)):
        p99 = values[min(len(values) - 1, round(len(values) * 0.99))]
        print(
            f"{title:14}{who:18}p50 {statistics.median(values):6.2f} ms   p99 {p99:6.2f} ms   max {values[-1]:6.2f} ms"
        )


def rows(refused: list[list[float]], bare: list[list[float]]) -> list[Row]:
    """Each process's figures: medians with their spread, and the 99th percentile."""
    each = {
        "ours, refused": sorted(ms for row in refused for ms in row),
        "a bare message": sorted(ms for row in bare for ms in row),
    }
    bars: dict[str, tuple[Bar | None, Bar | None]] = {"ours, refused": (at_most(3), at_most(10))}
    found = []
    for who, values in each.items():
        half, most = bars.get(who, (None, None))
        p99 = values[min(len(values) - 1, round(len(values) * 0.99))]
        found += [
            Row.of("to each other process, median", who, "ms", values, bar=half),
            Row.of("to each other process, 99th percentile", who, "ms", [p99], bar=most, note=f"of {len(values)}"),
        ]
    return sorted(found, key=lambda row: row.group)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--trips", type=int, default=100)
    arguments.add_argument("--processes", type=int, default=8)
    given = arguments.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with own_redis() as url:
        pairs = [fresh.Pipe() for _ in range(given.processes)]
        watchers = [fresh.Process(target=watcher, args=(url, theirs), daemon=True) for _, theirs in pairs]
        for process in watchers:
            process.start()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            times, bare = runner.run(measure(url, [ours for ours, _ in pairs], given.trips))
        for process in watchers:
            process.join(5)
    print(f"{given.trips} trips, {given.processes} other processes")
    show("refused", times)
    show("bare message", bare)
    publish(rows(times, bare))
    print("target: refused p50 at most 3 ms, p99 at most 10 ms")


if __name__ == "__main__":
    main()
