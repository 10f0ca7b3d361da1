"""What is answered with all services out: known and unknown questions, with caches and without, and how old it is.

    python -m benchmarks.caches [--questions 200]

Two replicas that share circuits and caches through Redis, and the simulated provider as embedder and generator. First
one replica is asked the known questions while everything is well, then the provider fails, and the other replica is
asked: known and unknown questions in turn. Each half is one row; the age is that of the earlier answers served.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.one_question import CONFIGURATION
from benchmarks.own_redis import free_port, own_redis
from benchmarks.processes import program, ready

TIERS = '[[embedders]]\nname = "secondary"\nkind = "local"\n[[generators]]\nname = "extractive"\nkind = "extractive"\n'
SUBJECTS = ("a circuit", "a probe", "a replica", "a fallback", "an answer", "a question", "Redis", "an index")
PAUSE_S = 2.0
"""Between the known questions and the outage, so that ages differ from 0."""


@dataclass(slots=True)
class Share:
    """Questions of one kind: by which generator they were answered, the ages told, and how long each took."""

    by: Counter[str] = field(default_factory=Counter)
    ages_s: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def note(self, answer: dict[str, Any], took_s: float) -> None:
        self.by[answer["served_by"]["generator"]] += 1
        self.took_ms.append(1000 * took_s)
        if answer.get("age_s") is not None:
            self.ages_s.append(answer["age_s"])

    def row(self, name: str) -> str:
        total = sum(self.by.values())
        by = ", ".join(f"{tier} {number / total:.0%}" for tier, number in self.by.most_common())
        ages = f"{statistics.median(self.ages_s):.1f} / {max(self.ages_s):.1f}" if self.ages_s else "-"
        return f"{name:26}{total:>7}{by:>26}{ages:>18}{statistics.median(self.took_ms):>9.1f}"


def questions(number: int, known: bool) -> list[str]:
    """Questions that the documents answer, all different."""
    word = "recover" if known else "fail"
    return [f"How does {SUBJECTS[n % len(SUBJECTS)]} {word}, case {n}?" for n in range(number)]


async def ask(session: aiohttp.ClientSession, url: str, question: str) -> tuple[dict[str, Any], float]:
    """The answer, and how many seconds it took."""
    began_s = time.monotonic()
    async with session.post(f"{url}/v1/query", json={"question": question}) as reply:
        if reply.status != 200:
            sys.exit(f"{url} answered {reply.status}: {await reply.text()}")
        return await reply.json(), time.monotonic() - began_s


async def outage(session: aiohttp.ClientSession, provider: str, one: str, other: str, number: int) -> list[Share]:
    """Known questions while all is well, then known and unknown ones with all services out."""
    known, unknown = questions(number, known=True), questions(number, known=False)
    answered = [(await ask(session, one, question))[0] for question in known]
    good = {answer["question"] for answer in answered if answer["answered"] and not answer["degraded"]}
    await asyncio.sleep(PAUSE_S)
    for target in ("embeddings", "chat"):
        async with session.put(f"{provider}/faults/{target}", json={"mode": "error", "rate": 1.0, "for_s": 600}):
            pass
    shares = [Share(), Share()]
    for pair in zip([question for question in known if question in good], unknown, strict=False):
        for share, question in zip(shares, pair, strict=True):
            share.note(*await ask(session, other, question))
    async with session.delete(f"{provider}/faults"):
        pass
    return shares


@contextlib.asynccontextmanager
async def two_replicas(redis_url: str, folder: Path, more: str) -> AsyncIterator[tuple[str, str, str]]:
    """The addresses of a provider and two replicas; `more` is added to their configuration."""
    ports = [free_port() for _ in range(3)]
    provider, one, other = (f"http://127.0.0.1:{port}" for port in ports)
    config = folder / "ha_rag.toml"
    config.write_text(CONFIGURATION.format(redis_url=redis_url, index=folder / "index", provider=provider) + more)
    documents = Path(__file__).parent.parent / "docs"
    with program("-m", "ha_rag.simulation", "--port", str(ports[0])):
        await ready(f"{provider}/faults")
        subprocess.run(
            [sys.executable, "-m", "ha_rag", "ingest", str(documents), "--config", str(config)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        serve = ("-m", "ha_rag", "serve", "--config", str(config), "--port")
        with program(*serve, str(ports[1])), program(*serve, str(ports[2])):
            await ready(f"{one}/health/ready")
            await ready(f"{other}/health/ready")
            yield provider, one, other


async def measure(redis_url: str, folder: Path, number: int, cache: str) -> list[Share]:
    """Starts everything anew, with these lines about caches in the configuration."""
    async with two_replicas(redis_url, folder, TIERS + cache) as urls, aiohttp.ClientSession() as session:
        return await outage(session, *urls, number)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--questions", type=int, default=200)
    given = arguments.parse_args()
    print(f"{'all services out':26}{'asked':>7}{'answered by':>26}{'age s p50 / max':>18}{'p50 ms':>9}")
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        for name, cache in (("without", ""), ("with", "[cache]\n")):
            shares = asyncio.run(measure(redis_url, Path(folder), given.questions, cache))
            for kind, share in zip(("known", "unknown"), shares, strict=True):
                print(share.row(f"{kind}, {name} caches"))


if __name__ == "__main__":
    main()
