"""Questions per second of one worker, by the size of its index and the number of connections.

    python -m benchmarks.passages_by_connections [--quick] [--passages 242 20000] [--connections 1 16]

One replica in one process with local tiers only: the local embedder, the hybrid index, the extractive generator. The
load runs in this process, so the two compete for the cores. The ratio is to the same index at one connection; it
should stay at 1 or above for any number of connections. `--quick` takes half a minute, a full run about ten minutes; a
run longer than `--at-most` seconds is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.own_redis import free_port
from benchmarks.processes import program, ready
from benchmarks.report.rows import Row, at_least, publish
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.cores import cores
from ha_rag.index import Chunk, Document, Index

DOCS = Path(__file__).parent.parent / "docs"
WORDS_A_SENTENCE = 12
SENTENCES_A_PASSAGE = 9
PORTION = 1_000

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


QUICK = Plan(passages=(242, 5_000, 20_000), connections=(1, 16), seconds=2.0, rounds=1, at_most_s=180.0)
FULL = Plan(
    passages=(242, 5_000, 19_000, 20_000, 50_000, 100_000),
    connections=(1, 4, 16, 64),
    seconds=3.0,
    rounds=3,
    at_most_s=1_200.0,
)


class Texts:
    """Random passages and questions with the word frequencies of docs/; the same in every run."""

    def __init__(self) -> None:
        text = " ".join(path.read_text() for path in sorted(DOCS.glob("*.md")))
        self._words = re.findall(r"[a-z]{2,}", text.lower())
        self._random = random.Random(1)

    def sentence(self) -> str:
        return " ".join(self._random.choices(self._words, k=WORDS_A_SENTENCE)).capitalize()

    def passage(self) -> str:
        return " ".join(f"{self.sentence()}." for _ in range(SENTENCES_A_PASSAGE))

    def question(self) -> dict[str, str]:
        return {"question": f"{self.sentence()}?"}


async def load(url: str, connections: int, seconds: float, questions: Sequence[dict[str, str]]) -> tuple[float, float]:
    """Questions per second and median latency in ms of `connections` clients, each with one question at a time."""
    latencies: list[float] = []
    end = time.monotonic() + seconds
    bodies = itertools.cycle(questions)

    async def ask(session: aiohttp.ClientSession) -> None:
        while (begin := time.monotonic()) < end:
            async with session.post(url, json=next(bodies)) as reply:
                body = await reply.json()
                if reply.status != 200 or body.get("degraded"):
                    sys.exit(f"{url} answered {reply.status}: {body}")
            latencies.append(time.monotonic() - begin)

    begin = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(ask(session) for _ in range(connections)))
    return len(latencies) / (time.monotonic() - begin), statistics.median(latencies) * 1000


async def grow(index: Index, embedder: LocalEmbedder, texts: Texts, passages: int) -> None:
    """Adds documents of one passage each until the index has `passages`."""
    while index.passages < passages:
        held = index.passages
        pieces = [texts.passage() for _ in range(min(PORTION, passages - held))]
        vectors = [embedding.vector for embedding in await embedder.embed_many(pieces)]
        with index.writer(threads=cores()) as writer:
            for n, (piece, vector) in enumerate(zip(pieces, vectors, strict=True), start=held):
                writer.put(Document(id=str(n), text=piece), [Chunk(text=piece)], {embedder.space: [vector]})
            writer.commit()
        index.refresh()


async def row(url: str, questions: Sequence[dict[str, str]], plan: Plan) -> Iterator[tuple[int, float, float, float]]:
    """For each number of connections: it, questions per second, median latency in ms, and the ratio to the first."""
    rounds = [[await load(url, n, plan.seconds, questions) for n in plan.connections] for _ in range(plan.rounds)]
    medians = [tuple(map(statistics.median, zip(*found, strict=True))) for found in zip(*rounds, strict=True)]
    alone = medians[0][0]
    return ((n, per_s, ms, per_s / alone) for n, (per_s, ms) in zip(plan.connections, medians, strict=True))


async def measure(folder: Path, plan: Plan) -> None:
    """One index that grows, and a new replica for each of its sizes."""
    config, port, texts, embedder = folder / "ha_rag.toml", free_port(), Texts(), LocalEmbedder()
    config.write_text(CONFIGURATION.format(index=folder / "index"))
    questions = [texts.question() for _ in range(200)]
    url = f"http://127.0.0.1:{port}"
    print(f"{'passages':>10}{'connections':>13}{'questions/s':>13}{'p50 ms':>9}{'ratio':>8}", flush=True)
    found: list[Row] = []
    with Index(folder / "index") as index:
        for passages in sorted(plan.passages):
            await grow(index, embedder, texts, passages)
            with program("-m", "ha_rag", "serve", "--port", str(port), "--config", str(config)):
                await ready(f"{url}/health/ready")
                await load(f"{url}/v1/query", 4, 1.0, questions)
                for connections, per_s, ms, ratio in await row(f"{url}/v1/query", questions, plan):
                    print(f"{passages:10,}{connections:13}{per_s:13.0f}{ms:9.2f}{ratio:8.2f}", flush=True)
                    found += rows_of(passages, connections, per_s, ratio)
                    publish(sorted(found, key=lambda row: row.group))


def rows_of(passages: int, connections: int, per_s: float, ratio: float) -> list[Row]:
    """The throughput, and its ratio to the one with the fewest connections."""
    who = f"ours, {passages:,} passages, {connections} at once"
    return [
        Row.of("local questions", who, "1/s", [per_s]),
        Row.of("throughput / with the fewest connections", who, "ratio", [ratio], bar=at_least(1)),
    ]


async def bounded(plan: Plan) -> None:
    os.environ["HA_RAG_LOG"] = "console"
    with tempfile.TemporaryDirectory() as folder:
        try:
            async with asyncio.timeout(plan.at_most_s):
                await measure(Path(folder), plan)
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
    arguments.add_argument("--connections", type=int, nargs="+", help="the ratio is to the first of them")
    arguments.add_argument("--seconds", type=float, help="duration of each measurement")
    arguments.add_argument("--rounds", type=int, help="number of rounds; the median is printed")
    arguments.add_argument("--at-most", type=float, metavar="SECONDS", help="time limit of the whole run")
    asyncio.run(bounded(plan_of(arguments.parse_args())))


if __name__ == "__main__":
    main()
