"""What a question costs as the index grows: throughput by the number of connections, time and recall of the search.

    python -m benchmarks.passages_by_connections [--quick] [--passages 242 20000] [--connections 1 16] [--keep FOLDER]

One replica in one process with local tiers only: the local embedder, the hybrid index, the extractive generator. The
load runs in this process, so the two compete for the cores. The ratio is to the same index at one connection. Before
that, the index is searched inside this process: by itself, and by vectors beside a comparison with every vector
(recall). Passages are made (`made_text.py`); a question is a sentence of one of them in another order, less two words.

`--quick` takes a minute or two, a full run most of an hour, of which making the indexes is the greater part: `--keep`
keeps them for the next run. They take 5 GB. A run longer than `--at-most` seconds is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from benchmarks.grown_index import GrownIndexes
from benchmarks.made_text import MadeText
from benchmarks.own_redis import free_port
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_least, at_most, publish
from benchmarks.searching_inside import Searching, searching

LONGEST_SEARCH_MS = 10
LOWEST_RECALL = 0.95

CONFIGURATION = """\
[index]
path = "{index}"
[server]
max_concurrent = 1000
request_timeout_s = 60
[[embedders]]
name = "primary"
kind = "local"
timeout_s = 60
[[retrievers]]
name = "primary"
kind = "local"
timeout_s = 60
[[generators]]
name = "primary"
kind = "extractive"
timeout_s = 60
"""


@dataclass(frozen=True)
class Plan:
    """What is measured. `at_most_s`: time limit of the run in seconds."""

    passages: Sequence[int]
    connections: Sequence[int]
    seconds: float
    rounds: int
    at_most_s: float


QUICK = Plan(passages=(242, 5_000, 20_000), connections=(1, 16), seconds=2.0, rounds=1, at_most_s=300.0)
FULL = Plan(
    passages=(242, 20_000, 100_000, 1_000_000),
    connections=(1, 16, 64),
    seconds=5.0,
    rounds=3,
    at_most_s=5_400.0,
)


@dataclass(frozen=True)
class Served:
    """Replicas under load, one in each round. `rounds`: connections -> questions per second, as far as it served them.

    `trouble`: why it did not serve so many connections.
    """

    memory_bytes: int
    rounds: list[dict[int, float]]
    trouble: dict[int, str]

    def throughput(self, connections: int) -> list[float]:
        """In each round, questions per second."""
        return [per_s[connections] for per_s in self.rounds if connections in per_s]

    def ratios(self, connections: int) -> list[float]:
        """In each round, the throughput beside that with the fewest connections."""
        return [per_s[connections] / per_s[min(per_s)] for per_s in self.rounds if connections in per_s]


class NotServedError(Exception):
    """A question that was not answered as it should be; the text says what came instead."""


async def load(url: str, connections: int, seconds: float, questions: Sequence[dict[str, str]]) -> float:
    """Questions per second of `connections` clients, each with one question at a time. Raises NotServedError."""
    answered, bodies = 0, itertools.cycle(questions)
    began = time.monotonic()

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        while time.monotonic() < began + seconds:
            async with session.post(url, json=next(bodies)) as reply:
                body = await reply.json()
                if reply.status != 200 or body.get("degraded"):
                    raise NotServedError(f"status {reply.status}, degraded stages: {body.get('degraded_stages')}")
            answered += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(ask(session) for _ in range(connections)))
    return answered / (time.monotonic() - began)


async def served(index: Path, passages: int, plan: Plan) -> Served:
    """Starts a replica in each round and loads it. A round ends where an answer is degraded."""
    questions = [{"question": question} for question in MadeText().questions(passages, 500)]
    with tempfile.TemporaryDirectory() as folder:
        config, port = Path(folder) / "ha_rag.toml", free_port()
        config.write_text(CONFIGURATION.format(index=index))
        url = f"http://127.0.0.1:{port}"
        found = Served(memory_bytes=0, rounds=[], trouble={})
        for _ in range(plan.rounds):
            with program("-m", "ha_rag", "serve", "--port", str(port), "--config", str(config)) as replica:
                await ready(f"{url}/health/ready", at_most_s=300)
                await load(f"{url}/v1/query", 4, 2.0, questions)
                per_s: dict[int, float] = {}
                for connections in sorted(plan.connections):
                    try:
                        per_s[connections] = await load(f"{url}/v1/query", connections, plan.seconds, questions)
                    except NotServedError as error:
                        found.trouble[connections] = str(error)
                        break
                found.rounds.append(per_s)
                found = replace(found, memory_bytes=private_bytes(replica.pid))
        return found


def private_bytes(process: int) -> int:
    """The memory of a process that no file backs: files that it has mapped can be dropped when memory is short."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text("utf-8"), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def rows_of(passages: int, inside: Searching, outside: Served, plan: Plan, empty_bytes: int) -> Iterator[Row]:
    """All figures of one size. `empty_bytes`: the memory of the replica with the smallest index."""
    who = f"ours, {passages:,} passages"
    yield Row.of("search, median", who, "ms", [statistics.median(inside.search_ms)], bar=at_most(LONGEST_SEARCH_MS))
    yield Row.of("recall@10 of the search by vectors", who, "share", [inside.recall], bar=at_least(LOWEST_RECALL))
    for connections in sorted(plan.connections):
        at_once, trouble = f"{who}, {connections} at once", outside.trouble.get(connections, "")
        yield Row.of("local questions", at_once, "1/s", outside.throughput(connections), note=trouble)
        if connections > min(plan.connections):
            yield Row.of(
                "throughput / with the fewest connections", at_once, "ratio",
                outside.ratios(connections), bar=at_least(1), note=trouble,
            )  # fmt: skip
    more = outside.memory_bytes - empty_bytes
    note = f"{more / passages:,.0f} bytes a passage above the smallest index" if more > 0 else ""
    yield Row.of("memory of the replica", who, "MB", [outside.memory_bytes / 1e6], note=note)
    yield Row.of("time to load the index", who, "s", [inside.load_s])
    yield Row.of("size on disk", who, "bytes a passage", [inside.disk_bytes / passages])


def shown(passages: int, inside: Searching, outside: Served, plan: Plan) -> str:
    """A line of the printed table for each number of connections."""
    alone = (
        f"{statistics.median(inside.search_ms):9.2f}{inside.recall:8.3f}{inside.load_s:8.2f}"
        f"{outside.memory_bytes / 1e6:8.0f}{inside.disk_bytes / passages:8.0f}"
    )
    return "\n".join(f"{passages:10,}{alone}{n:13}{_throughput(outside, n)}" for n in sorted(plan.connections))


def _throughput(outside: Served, connections: int) -> str:
    per_s, ratios = outside.throughput(connections), outside.ratios(connections)
    if not per_s:
        return f"  {outside.trouble.get(connections, 'not reached')}"
    return f"{statistics.median(per_s):13.0f}{statistics.median(ratios):8.2f}"


async def measure(folder: Path, plan: Plan) -> None:
    """One index after the other, from the smallest."""
    indexes, found = GrownIndexes(folder), list[Row]()
    empty_bytes = 0
    print(
        f"{'passages':>10}{'search ms':>9}{'recall':>8}{'load s':>8}{'MB':>8}{'B/pass.':>8}"
        f"{'connections':>13}{'questions/s':>13}{'ratio':>8}"
    )
    for passages in sorted(plan.passages):
        began_s = time.perf_counter()
        index = await indexes.of(passages)
        made_s = time.perf_counter() - began_s
        inside, outside = await searching(index), await served(index, passages, plan)
        empty_bytes = empty_bytes or outside.memory_bytes
        print(shown(passages, inside, outside, plan), f"  made in {made_s:.0f} s", flush=True)
        found += rows_of(passages, inside, outside, plan, empty_bytes)
        publish(sorted(found, key=lambda row: row.group))


async def bounded(plan: Plan, keep: Path | None) -> None:
    """Measures within the time limit. `keep`: the folder of indexes that outlive the run."""
    os.environ["HA_RAG_LOG"] = "console"
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(plan.at_most_s):
                await measure(folder, plan)
        except TimeoutError:
            raise SystemExit(f"stopped after {plan.at_most_s:g} s (--at-most)") from None


def plan_of(arguments: argparse.Namespace) -> Plan:
    defaults = QUICK if arguments.quick else FULL
    return Plan(
        passages=arguments.passages or defaults.passages,
        connections=arguments.connections or defaults.connections,
        seconds=arguments.seconds or defaults.seconds,
        rounds=arguments.rounds or defaults.rounds,
        at_most_s=arguments.at_most or defaults.at_most_s,
    )


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--quick", action="store_true", help="three sizes, two numbers of connections, one round")
    arguments.add_argument("--passages", type=int, nargs="+")
    arguments.add_argument("--connections", type=int, nargs="+", help="the ratio is to the fewest")
    arguments.add_argument("--seconds", type=float, help="duration of each measurement")
    arguments.add_argument("--rounds", type=int, help="number of rounds; the median is printed")
    arguments.add_argument("--at-most", type=float, metavar="SECONDS", help="time limit of the whole run")
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="where the indexes are kept for the next run")
    given = arguments.parse_args()
    asyncio.run(bounded(plan_of(given), given.keep))


if __name__ == "__main__":
    main()
