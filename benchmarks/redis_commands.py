"""Redis commands per guarded call, counted by Redis (INFO commandstats), closed and open, at two call rates.

    python -m benchmarks.redis_commands [--seconds 5]

A breaker that calls Redis on the call path needs at least one command per call. Ours sends a number of commands per
second that does not grow with the calls: reports, polls and heartbeats of one replica with one circuit.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import redis.asyncio

from benchmarks.own_redis import own_redis
from benchmarks.report.rows import Row, at_most, publish
from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from ha_rag.breaker.breaker import CircuitBreaker


async def answer() -> int:
    """The guarded call."""
    return 1


async def calls_at(breaker: CircuitBreaker, per_s: float, seconds: float) -> int:
    """Makes about `per_s` calls per second for `seconds`. Returns the number of calls."""
    made, begin = 0, time.monotonic()
    while (elapsed := time.monotonic() - begin) < seconds:
        for _ in range(int(elapsed * per_s) - made):
            made += 1
            try:
                await breaker.call(answer)
            except CircuitOpenError:
                continue
        await asyncio.sleep(0.001)
    return made


async def commands(client: redis.asyncio.Redis) -> dict[str, int]:
    """Commands sent by clients since the last reset, without those that scripts run inside Redis."""
    stats = await client.info("commandstats")
    sent = {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}
    return {name: n for name, n in sent.items() if name in ("evalsha", "eval", "set", "zadd", "zcount", "mget")}


async def measure(url: str, seconds: float) -> list[Row]:
    """Prints a row for each case."""
    found = []
    client = redis.asyncio.Redis.from_url(url, decode_responses=True)
    print(f"{'':28}{'calls/s':>10}{'scripts/s':>12}{'scripts/call':>16}")
    async with CircuitRegistry.connect(url, namespace="bench", replica="bench") as circuits:
        for state in ("closed", "open"):
            breaker = circuits.breaker(state, CircuitPolicy())
            if state == "open":
                await circuits.override("open", "open", reason="benchmark", by="benchmark")
            for per_s in (100, 20_000):
                await client.config_resetstat()
                made = await calls_at(breaker, per_s, seconds)
                scripts = (await commands(client)).get("evalsha", 0)
                row = f"{state}, {per_s} calls/s requested"
                note = f"{made / seconds:.0f} calls/s made"
                bar = at_most(11)  # ten reports and one read
                found.append(
                    Row.of("scripts sent to Redis", f"ours, {row}", "1/s", [scripts / seconds], bar=bar, note=note)
                )
                print(f"{row:28}{made / seconds:10.0f}{scripts / seconds:12.1f}{scripts / made:16.5f}")
    await client.aclose()
    print("target: 0 on the call path; at most 10 reports and 1 read per second for each circuit")
    return found


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--seconds", type=float, default=5.0)
    with own_redis() as url:
        publish(asyncio.run(measure(url, arguments.parse_args().seconds)))


if __name__ == "__main__":
    main()
