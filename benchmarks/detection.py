"""How soon a dead, hanging or slow service is noticed: by a real fleet.

    python -m benchmarks.detection [--rate 40] [--quick]

The fleet: three replicas, Redis and the simulated provider, each a process of its own, under a steady load that this
process spreads over the replicas. For each outage: seconds until the embedder's circuit is open on all three, calls
that reached the service from the outage to then, and seconds that its callers waited for those calls.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.own_redis import free_port, own_redis
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_most, publish

CIRCUIT = "embedder.primary"
WARM_S = 15.0
"""Load before each outage: the window is full of successes, and the service's usual latency is known."""

CONFIGURATION = """\
[fleet]
redis_url = "{redis_url}"
[index]
path = "{index}"
[circuit]
recovery_timeout_s = 3.0
[[embedders]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "text-embedding-3-small"
dimension = 256
timeout_s = {timeout_s}
[[embedders]]
name = "secondary"
kind = "local"
[[retrievers]]
name = "primary"
kind = "local"
[[generators]]
name = "extractive"
kind = "extractive"
"""


@dataclass(frozen=True)
class Outage:
    """What breaks, and within which bounds it should be noticed at 40 calls a second (None: no bound)."""

    title: str
    fault: dict[str, Any]
    timeout_s: float
    within_s: float | None = None
    calls: int | None = None


OUTAGES = (
    Outage("dead: every call fails at once", {"mode": "error", "for_s": 60}, 1.0, 1.0, 40),
    Outage("hanging, timeout 1 s", {"mode": "hang", "for_s": 60}, 1.0, 2.0, 80),
    Outage("hanging, timeout 8 s", {"mode": "hang", "for_s": 60}, 8.0),
    Outage("browns out: every answer takes 0.8 s", {"mode": "slow", "delay_s": 0.8, "for_s": 60}, 8.0),
)


@dataclass(frozen=True)
class Noticed:
    """`after_s`: seconds until the last replica refused calls; None: never. `calls`: sent to the service by then."""

    after_s: float | None
    calls: int
    waited_s: float
    reason: str


class Load:
    """Steady questions, spread over the replicas in turn, until it is cancelled."""

    def __init__(self, session: aiohttp.ClientSession, replicas: Sequence[str], rate: float) -> None:
        self._session = session
        self._replicas = replicas
        self._rate = rate
        self._asking: set[asyncio.Task[None]] = set()
        self.unanswered = 0

    async def run(self) -> None:
        """One question every 1 / rate seconds, however long the answers take."""
        started, number = time.monotonic(), 0
        while True:
            task = asyncio.create_task(self._ask(self._replicas[number % len(self._replicas)], number))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            number += 1
            await asyncio.sleep(max(0.0, started + number / self._rate - time.monotonic()))

    async def _ask(self, replica: str, number: int) -> None:
        try:
            question = {"question": f"How does a circuit recover, asked for the {number}th time?"}
            async with self._session.post(f"{replica}/v1/query", json=question) as reply:
                self.unanswered += reply.status != 200
                await reply.read()
        except (aiohttp.ClientError, TimeoutError):
            self.unanswered += 1


async def state_of(session: aiohttp.ClientSession, replica: str) -> str:
    """What a call would meet at this replica."""
    async with session.get(f"{replica}/health") as reply:
        components = (await reply.json())["components"]
    return str(next(one["state"] for one in components if one["circuit"] == CIRCUIT))


async def received(session: aiohttp.ClientSession, provider: str) -> int:
    """Embedding calls that the provider has received."""
    async with session.get(f"{provider}/counts", params={"last": "0"}) as reply:
        return int((await reply.json())["embeddings"]["received"])


async def noticed(session: aiohttp.ClientSession, provider: str, replicas: Sequence[str], outage: Outage) -> Noticed:
    """Breaks the service, and watches until all replicas refuse calls or 20 seconds have passed."""
    before = await received(session, provider)
    began = time.monotonic()
    async with session.put(f"{provider}/faults/embeddings", json=outage.fault) as reply:
        reply.raise_for_status()
    after_s: float | None = None
    while time.monotonic() - began < 20.0:
        states = await asyncio.gather(*(state_of(session, replica) for replica in replicas))
        if all(state == "open" for state in states):
            after_s = time.monotonic() - began
            break
        await asyncio.sleep(0.01)
    calls = await received(session, provider) - before
    async with session.get(f"{replicas[0]}/v1/circuits/{CIRCUIT}") as reply:
        reason = str((await reply.json())["reason"])
    each_s = {"error": 0.0, "hang": outage.timeout_s, "slow": outage.fault.get("delay_s", 0.0)}[outage.fault["mode"]]
    return Noticed(after_s, calls, calls * each_s, reason)


async def measure(redis_url: str, folder: Path, outage: Outage, rate: float, warm_s: float) -> Noticed:
    """One outage of a fleet of its own."""
    port, *ports = [free_port() for _ in range(4)]
    provider, replicas = f"http://127.0.0.1:{port}", [f"http://127.0.0.1:{port}" for port in ports]
    config = folder / "ha_rag.toml"
    timeout_s = outage.timeout_s
    config.write_text(
        CONFIGURATION.format(redis_url=redis_url, index=folder / "index", provider=provider, timeout_s=timeout_s)
    )
    documents = Path(__file__).parent.parent / "docs"
    with ExitStack() as stack:
        stack.enter_context(program("-m", "ha_rag.simulation", "--port", str(port)))
        await ready(f"{provider}/faults")
        ingest = [sys.executable, "-m", "ha_rag", "ingest", str(documents), "--config", str(config)]
        subprocess.run(ingest, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for number, replica_port in enumerate(ports):
            os.environ["HA_RAG_REPLICA"] = f"rag-{number + 1}"
            stack.enter_context(program("-m", "ha_rag", "serve", "--port", str(replica_port), "--config", str(config)))
        for replica in replicas:
            await ready(f"{replica}/health/ready")
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
            load = Load(session, replicas, rate)
            running = asyncio.create_task(load.run())
            try:
                await asyncio.sleep(warm_s)
                found = await noticed(session, provider, replicas, outage)
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
            if load.unanswered:
                sys.exit(f"{load.unanswered} questions went unanswered")
    return found


def told(outage: Outage, found: Noticed) -> str:
    """A row of the table."""
    after = "not noticed" if found.after_s is None else f"{found.after_s:6.2f} s"
    bound = "" if outage.within_s is None else f"(bar: {outage.within_s:g} s, {outage.calls} calls)"
    return f"{outage.title:40}{after:>12}{found.calls:8}{found.waited_s:10.0f} s   {found.reason}  {bound}"


def rows_of(outage: Outage, found: Noticed) -> list[Row]:
    """The bars hold for 40 questions a second."""
    after_bar = None if outage.within_s is None else at_most(outage.within_s)
    calls_bar = None if outage.calls is None else at_most(outage.calls)
    after = () if found.after_s is None else (found.after_s,)
    unnoticed = "" if after else "not noticed within 20 s"
    return [
        Row.of("open on all three replicas after", f"ours, {outage.title}", "s", after, bar=after_bar, note=unnoticed),
        Row.of("calls received until then", f"ours, {outage.title}", "calls", [found.calls], bar=calls_bar),
        Row.of("waited for those calls", f"ours, {outage.title}", "s", [found.waited_s]),
    ]


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rate", type=float, default=40.0, help="questions a second, over three replicas")
    arguments.add_argument("--quick", action="store_true", help="a shorter warm-up")
    given = arguments.parse_args()
    print(f"three replicas, {given.rate:g} questions a second, circuit {CIRCUIT}")
    print(f"{'':40}{'open on all':>12}{'calls':>8}{'waited':>12}")
    rows: list[Row] = []
    for outage in OUTAGES:
        with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
            warm_s = 8.0 if given.quick else WARM_S
            found = asyncio.run(measure(redis_url, Path(folder), outage, given.rate, warm_s))
        print(told(outage, found), flush=True)
        rows += rows_of(outage, found)
    publish(sorted(rows, key=lambda row: row.group))


if __name__ == "__main__":
    main()
