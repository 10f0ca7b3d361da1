"""From the deciding failure in one process to a refusal in all of eight others: p50 and p99 over 100 trips.

    python -m benchmarks.trip_latency [--trips 100] [--processes 8]

Nine real processes share one redis-server. In each trip the first one reports failures until the circuit opens; every
other one asks its breaker once it is told of a change, and notes when it was refused (nobody spins: eight that do would
measure the scheduler of a machine with two cores). Times are of one machine's
monotonic clock, which its processes share.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

from benchmarks.own_redis import own_redis
from ha_rag import CircuitPolicy, CircuitRegistry

POLICY = CircuitPolicy(min_samples=5, recovery_timeout_s=60.0)


def watcher(url: str, pipe: Connection) -> None:
    """A process that notes, for each circuit it is told of, when it is first refused."""
    asyncio.run(_watch(url, pipe))


async def _watch(url: str, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    async with CircuitRegistry.connect(url, namespace="bench", sinks=[lambda _: changed.set()]) as circuits:
        while (name := await loop.run_in_executor(None, pipe.recv)) is not None:
            breaker = circuits.breaker(name, POLICY)
            while breaker.shared_state != "fresh":
                await asyncio.sleep(0.001)
            pipe.send("ready")
            while breaker.admit().permitted:
                changed.clear()
                await changed.wait()
            pipe.send(time.monotonic())


async def trip(circuits: CircuitRegistry, name: str, pipes: list[Connection]) -> list[float]:
    """One trip: milliseconds until each watcher was refused."""
    loop = asyncio.get_running_loop()
    breaker = circuits.breaker(name, POLICY)
    for pipe in pipes:
        pipe.send(name)
    for pipe in pipes:
        await loop.run_in_executor(None, pipe.recv)
    permits = [breaker.admit().permit for _ in range(POLICY.min_samples)]
    decided = time.monotonic()
    for permit in permits:
        assert permit is not None
        permit.failed()
    return [(await loop.run_in_executor(None, pipe.recv) - decided) * 1000 for pipe in pipes]


async def measure(url: str, pipes: list[Connection], trips: int) -> list[list[float]]:
    """All trips, each with a circuit of its own."""
    async with CircuitRegistry.connect(url, namespace="bench", replica="tripper") as circuits:
        times = [await trip(circuits, f"circuit-{n}", pipes) for n in range(trips)]
    for pipe in pipes:
        pipe.send(None)
    return times


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
        times = asyncio.run(measure(url, [ours for ours, _ in pairs], given.trips))
        for process in watchers:
            process.join(5)
    each = sorted(ms for trip_times in times for ms in trip_times)
    last = sorted(max(trip_times) for trip_times in times)
    print(f"{given.trips} trips, {given.processes} other processes")
    for title, values in (("each process", each), ("the last of them", last)):
        p99 = values[min(len(values) - 1, round(len(values) * 0.99))]
        print(f"{title:18} p50 {statistics.median(values):6.2f} ms   p99 {p99:6.2f} ms   max {values[-1]:6.2f} ms")
    print("bar: p50 at most 3 ms, p99 at most 10 ms")


if __name__ == "__main__":
    main()
