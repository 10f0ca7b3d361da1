"""What many circuits cost a replica: Redis commands, CPU and event-loop lag, with a few of them in use.

    python -m benchmarks.many_circuits [--seconds 10] [--names 10000] [--used 50] [--calls-per-s 1]

Each row is a process of its own that creates all circuits, waits until they are idle, and then calls those in use at
the given rate. Commands are counted with MONITOR: those that the process sends, and those that its scripts run inside
Redis. Lag: how much later than due a timer of the event loop fired; own: the part of the longest during which the
process itself ran, since a busy machine delays timers too. Peers that are not installed (extra `bench`) are skipped;
they read Redis on every call and have no background work, so their rows show what the calls themselves cost. The row
"unguarded" is the same process without any circuit: its CPU is the measurement's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.own_redis import own_redis
from ha_rag import CircuitPolicy, CircuitRegistry

TIMER_S = 0.005
SETTLE_S = 20.0
"""Longer than a circuit that was just created counts as in use."""

Call = Callable[[str], Awaitable[object]]


async def answer() -> int:
    """The guarded call."""
    return 1


# ---- the measured process -------------------------------------------------------------------------------------------


async def watch_lag(lags: list[float], own: list[float]) -> None:
    """Appends how late a timer fires, in seconds, until cancelled; `own`: at most the CPU time used meanwhile."""
    while True:
        due, used_s = time.monotonic() + TIMER_S, time.thread_time()
        await asyncio.sleep(TIMER_S)
        lags.append(time.monotonic() - due)
        own.append(min(lags[-1], time.thread_time() - used_s))


def cpu_s() -> float:
    """CPU seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def use(call: Call, names: list[str], per_s: float, seconds: float) -> int:
    """Calls each name `per_s` times a second, evenly spread, for `seconds`. Returns the number of calls."""
    if not names or not per_s:
        await asyncio.sleep(seconds)
        return 0
    begin, made = time.monotonic(), 0
    for name in itertools.cycle(names):
        due = begin + made / (per_s * len(names))
        if due > begin + seconds:
            return made
        if (wait_s := due - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        await call(name)
        made += 1
    return made


async def measured(call: Call, arguments: argparse.Namespace, created_s: float) -> None:
    """Calls before and during the measurement, and prints its result as JSON."""
    names = [f"host-{number}" for number in range(arguments.used)]
    await use(call, names, arguments.calls_per_s, SETTLE_S)
    lags: list[float] = []
    own: list[float] = []
    watch = asyncio.create_task(watch_lag(lags, own))
    print("begin", flush=True)
    used_s, begin = cpu_s(), time.monotonic()
    made = await use(call, names, arguments.calls_per_s, arguments.seconds)
    took_s = time.monotonic() - begin
    cpu = (cpu_s() - used_s) / took_s
    print("end", flush=True)
    watch.cancel()
    lags.sort()
    result = {"calls": made / took_s, "cpu": cpu, "took": took_s, "created": created_s}
    result |= {"p99": lags[len(lags) * 99 // 100], "max": lags[-1], "own": max(own)}
    print(json.dumps(result | {"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


async def unguarded(arguments: argparse.Namespace) -> None:
    """The same calls without a circuit: what the calls and the measurement themselves cost."""
    await measured(lambda _: answer(), arguments, 0.0)


async def ours(arguments: argparse.Namespace) -> None:
    """A registry of this library."""
    async with CircuitRegistry.connect(arguments.url, namespace="bench", replica="bench") as circuits:
        begin = time.monotonic()
        for number in range(arguments.names):
            circuits.breaker(f"host-{number}", CircuitPolicy())
            if number % 100 == 0:
                await asyncio.sleep(0)
        created_s = time.monotonic() - begin
        await measured(lambda name: circuits.breaker(name).call(answer), arguments, created_s)


async def interlock(arguments: argparse.Namespace) -> None:
    """interlock-cb with its Redis storage."""
    import redis.asyncio
    from interlock import CircuitBreaker
    from interlock.integrations.redis import AsyncRedisStorage

    storage: Any = AsyncRedisStorage(redis.asyncio.Redis.from_url(arguments.url))
    begin = time.monotonic()
    breakers: dict[str, Any] = {
        name: CircuitBreaker(name=name, storage=storage)
        for name in (f"host-{number}" for number in range(arguments.names))
    }
    created_s = time.monotonic() - begin

    async def call(name: str) -> object:
        breaker = breakers[name]
        return await (breaker.call_async if hasattr(breaker, "call_async") else breaker.call)(answer)

    await measured(call, arguments, created_s)


CONTENDERS = {"unguarded": unguarded, "ours": ours, "interlock": interlock}

# ---- the measuring process ------------------------------------------------------------------------------------------


class Monitor:
    """Counts the commands that a Redis runs, while `counting`: sent by clients, and inside scripts."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.counting = False
        self.sent: Counter[str] = Counter()
        self.inside = 0
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.sendall(b"MONITOR\r\n")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                if not self.counting:
                    continue
                if b" lua] " in line[:60]:
                    self.inside += 1
                elif b'"' in line:
                    self.sent[line.split(b'"', 2)[1].decode().lower()] += 1

    def close(self) -> None:
        """Ends the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def run(contender: str, url: str, arguments: argparse.Namespace, names: int, used: int) -> dict[str, Any]:
    """Runs one contender in its own process. Returns what it printed, with the commands a second."""
    command = [sys.executable, "-m", "benchmarks.many_circuits", "--child", contender, "--url", url]
    command += ["--names", str(names), "--used", str(used), "--seconds", str(arguments.seconds)]
    command += ["--calls-per-s", str(arguments.calls_per_s)]
    monitor, result = Monitor(url), {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() in ("begin", "end"):
                monitor.counting = line.strip() == "begin"
            else:
                result = json.loads(line)
    monitor.close()
    if child.returncode:
        sys.exit(f"{contender} failed")
    sent = {name: count / result["took"] for name, count in monitor.sent.most_common()}
    return result | {"sent": sum(sent.values()), "inside": monitor.inside / result["took"], "by_name": sent}


HEADER = (
    f"{'':12}{'names':>8}{'in use':>8}{'calls/s':>9}{'sent/s':>9}{'in scripts/s':>14}{'CPU %':>8}"
    f"{'lag p99 ms':>12}{'max':>8}{'own':>8}{'create s':>10}{'MB':>6}"
)


def row(contender: str, names: int, used: int, result: dict[str, Any]) -> str:
    """One row of the table."""
    p99, longest, own = (1000 * result[name] for name in ("p99", "max", "own"))
    return (
        f"{contender:12}{names:8}{used:8}{result['calls']:9.1f}{result['sent']:9.1f}{result['inside']:14.1f}"
        f"{100 * result['cpu']:8.1f}{p99:12.1f}{longest:8.1f}{own:8.1f}{result['created']:10.2f}{result['rss']:6.0f}"
    )


def compare(arguments: argparse.Namespace) -> None:
    """Runs all cases and prints a table."""
    print(HEADER)
    with own_redis() as url:
        print(row("unguarded", 0, arguments.used, run("unguarded", url, arguments, 0, arguments.used)), flush=True)
    cases = dict.fromkeys([(0, 0), (arguments.used, arguments.used), (arguments.names, 0)])
    for names, used in [*cases, (arguments.names, arguments.used)]:
        with own_redis() as url:
            result = run("ours", url, arguments, names, used)
            print(row("ours", names, used, result), flush=True)
            if arguments.commands:
                print("   ", {name: round(per_s, 1) for name, per_s in result["by_name"].items()})
    if importlib.util.find_spec("interlock") is None:
        print("interlock-cb is not installed")
    else:
        with own_redis() as url:
            result = run("interlock", url, arguments, arguments.names, arguments.used)
            print(row("interlock-cb", arguments.names, arguments.used, result))
    print("target for 10,000 names of which 50 are in use: 100 commands/s, 5 % of a core, 20 ms lag")


def main() -> None:
    """Measures and prints, or (`--child`) is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--used", type=int, default=50)
    parser.add_argument("--calls-per-s", type=float, default=1.0, help="calls of each circuit in use")
    parser.add_argument("--commands", action="store_true", help="show which commands are sent")
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        asyncio.run(CONTENDERS[arguments.child](arguments))
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
