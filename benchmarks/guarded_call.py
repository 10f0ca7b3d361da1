"""The cost of a guarded call, closed and refused, compared with the bare call and with other libraries, in one run.

    python -m benchmarks.guarded_call [--rounds 9] [--calls 20000]

All contenders run in turn in each round, and the table shows each one's median over the rounds, so that changes of the
machine's speed affect all of them. Libraries that are not installed (group `bench`) are skipped with a message.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.own_redis import own_redis
from benchmarks.report.rows import Row, at_most, publish
from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

Run = Callable[[int], Awaitable[float]]


async def answer() -> int:
    """The guarded call. It does nothing."""
    return 1


def timed(step: Callable[[], Awaitable[object]]) -> Run:
    """A run of one contender: microseconds per call."""

    async def run(calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            await step()
        return (time.perf_counter() - begin) / calls * 1e6

    return run


def timed_sync(step: Callable[[], object]) -> Run:
    """A run of a synchronous contender."""

    async def run(calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            step()
        return (time.perf_counter() - begin) / calls * 1e6

    return run


async def interlock_call(url: str) -> Run:
    """interlock-cb with its Redis storage, closed."""
    import redis.asyncio
    from interlock import CircuitBreaker
    from interlock.integrations.redis import AsyncRedisStorage

    breaker = CircuitBreaker(name="bench", storage=AsyncRedisStorage(redis.asyncio.Redis.from_url(url)))
    await breaker.call_async(answer) if hasattr(breaker, "call_async") else await breaker.call(answer)
    call = breaker.call_async if hasattr(breaker, "call_async") else breaker.call
    return timed(lambda: call(answer))


async def pybreaker_call(url: str) -> Run:
    """pybreaker (synchronous only) with its Redis storage, closed."""
    import pybreaker
    import redis

    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.StrictRedis.from_url(url), namespace="bench")
    breaker = pybreaker.CircuitBreaker(state_storage=storage)
    return timed_sync(lambda: breaker.call(int))


PEERS = {"interlock-cb, Redis, closed": interlock_call, "pybreaker, Redis, closed": pybreaker_call}
SLOW = {"pybreaker, Redis, closed"}


async def contenders(url: str, circuits: CircuitRegistry) -> tuple[dict[str, Run], list[str]]:
    """All contenders, and the names of those that are not installed."""
    closed = circuits.breaker("closed", CircuitPolicy())
    refusing = circuits.breaker("refusing", CircuitPolicy())
    await circuits.override("refusing", "open", reason="benchmark", by="benchmark")

    def admitted() -> None:
        admission = closed.admit()
        if admission.permit is not None:
            admission.permit.ok()

    async def refused_with_an_exception() -> None:
        try:
            await refusing.call(answer)
        except CircuitOpenError:
            return

    ours: dict[str, Run] = {
        "bare call": timed(answer),
        "ours, closed: call": timed(lambda: closed.call(answer)),
        "ours, closed: admit + ok": timed_sync(admitted),
        "ours, refused as a value": timed_sync(refusing.admit),
        "ours, refused with an exception": timed(refused_with_an_exception),
    }
    missing = []
    for name, make in PEERS.items():
        try:
            ours[name] = await make(url)
        except ImportError:
            missing.append(name)
    return ours, missing


async def measure(url: str, rounds: int, calls: int) -> dict[str, list[float]]:
    """Contender -> microseconds per call in each round. Empty: not installed."""
    async with CircuitRegistry.connect(url, namespace="bench", replica="bench") as circuits:
        runs, missing = await contenders(url, circuits)
        for name in missing:
            print(f"skipped: {name} (pip install --group bench)")
        figures: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                figures[name].append(await run(calls // 50 if name in SLOW else calls))
    return figures | {name: [] for name in missing}


def rows(figures: dict[str, list[float]]) -> list[Row]:
    """The costs, and the ratios that have a bar, each taken within a round."""
    bare, closed, value = figures["bare call"], figures["ours, closed: call"], figures["ours, refused as a value"]
    over = [mine - theirs for mine, theirs in zip(closed, bare, strict=True)]
    peers = figures["interlock-cb, Redis, closed"]
    shares = [mine / theirs for mine, theirs in zip(closed, peers, strict=bool(peers))]
    absent = "not installed (make bench installs it)"
    return [
        *(Row.of("one call", name, "us", times, note="" if times else absent) for name, times in figures.items()),
        Row.of("ours, closed, over the bare call", "ours", "us", over, bar=at_most(1.5)),
        Row.of("ours, refused as a value", "ours", "us", value, bar=at_most(1)),
        Row.of("closed, ours / interlock-cb", "ours", "ratio", shares, bar=at_most(0.2), note="" if peers else absent),
    ]


def main() -> None:
    """Measures and prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--calls", type=int, default=20_000)
    given = arguments.parse_args()
    with own_redis() as url:
        figures = asyncio.run(measure(url, given.rounds, given.calls))
    publish(rows(figures))
    medians = {name: statistics.median(times) for name, times in figures.items() if times}
    bare = medians["bare call"]
    print(f"{'':36}{'us/call':>10}{'over bare':>12}")
    for name, value in medians.items():
        print(f"{name:36}{value:10.3f}{value - bare:12.3f}")
    peer = medians.get("interlock-cb, Redis, closed")
    if peer:
        print(f"ours closed / interlock-cb closed: {medians['ours, closed: call'] / peer:.3f} (target: at most 0.200)")
    print(f"ours closed over bare: {medians['ours, closed: call'] - bare:.3f} us (target: at most 1.5)")
    print(f"refused as a value: {medians['ours, refused as a value']:.3f} us (target: at most 1)")


if __name__ == "__main__":
    main()
