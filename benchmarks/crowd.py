"""What degrading costs, by a simulated crowd: satisfaction as `ha-rag experiment --degradation` shows it.

    python -m benchmarks.crowd [--questions 60]

Two replicas and the simulated provider. One replica is asked while all is well, then with the embeddings out, then with
the chat out; what the crowd thinks of each answer is sent to the other replica. The crowd is an assumption: each person
likes an answer with the probability that `LIKES` gives to its degraded stages, and everybody rates. So the table shows
that the fleet finds the assumed numbers again, not what people would say.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp

from benchmarks.caches import TIERS, ask, questions, two_replicas
from benchmarks.own_redis import own_redis

LIKES = {"": 0.85, "embedder": 0.75, "generator": 0.55}
"""Degraded stages -> the assumed probability that a person likes the answer."""

READ_S = 6.0
"""A little longer than the interval at which replicas read the counts."""


async def crowd(session: aiohttp.ClientSession, one: str, other: str, number: int) -> None:
    """Asks one replica, and rates each answer at the other."""
    for question in questions(number, known=True):
        answer, _ = await ask(session, one, question)
        likes = random.random() < LIKES["+".join(answer["degraded_stages"])]
        body = {"answer": answer["id"], "score": 1 if likes else -1}
        while True:
            async with session.post(f"{other}/v1/feedback", json=body) as reply:
                if reply.status == 200:
                    break
                if reply.status != 429:
                    sys.exit(f"{other} answered {reply.status}: {await reply.text()}")
            await asyncio.sleep(0.1)


async def measure(redis_url: str, folder: Path, number: int) -> None:
    """Runs the three situations, and shows the report."""
    async with two_replicas(redis_url, folder, TIERS) as (provider, one, other), aiohttp.ClientSession() as session:
        await asyncio.sleep(READ_S)
        for target in ("", "embeddings", "chat"):
            if target:
                fault = {"mode": "error", "rate": 1.0, "for_s": 600}
                async with session.put(f"{provider}/faults/{target}", json=fault):
                    pass
            await crowd(session, one, other, number)
            async with session.delete(f"{provider}/faults"):
                pass
            for circuit in ("embedder.primary", "generator.primary"):
                override = f"{one}/v1/circuits/{circuit}/override"
                async with session.put(override, json={"mode": "closed", "reason": "the next situation"}):
                    pass
                async with session.delete(override, json={}):
                    pass
        await asyncio.sleep(READ_S)
        report = [sys.executable, "-m", "ha_rag", "experiment", "--degradation", "--url", other]
        await asyncio.to_thread(subprocess.run, report, check=True)


def main() -> None:
    """Says what is assumed, and measures."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--questions", type=int, default=60)
    given = arguments.parse_args()
    assumed = ", ".join(f"{stages or 'none'} {share:.0%}" for stages, share in LIKES.items())
    print(f"assumed: everybody rates; by degraded stages people like {assumed}", flush=True)
    with own_redis() as redis_url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(redis_url, Path(folder), given.questions))


if __name__ == "__main__":
    main()
