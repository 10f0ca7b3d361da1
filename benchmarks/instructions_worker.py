"""The process that callgrind counts: a guarded call, a search and a whole question, each after a warm-up.

Run by `benchmarks.instructions` with the folder of a replica's configuration.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from benchmarks.call_trace import ask
from benchmarks.questions_per_second import QUESTION
from benchmarks.valgrind_requests import Callgrind
from ha_rag import CircuitPolicy
from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import Replica, build_replica
from ha_rag.components.retrievers.local import LocalRetriever
from ha_rag.messages import Embedding

CALLS = {"bare": 200, "guarded": 200, "interpreter": 2, "search": 2, "question": 2}
"""How many make one count."""
COUNTS = 11
"""The median counts: what a replica does at intervals falls into some of them."""
WARM_UP = 20
TOP_K = 3


async def answer() -> int:
    """The guarded call. It does nothing."""
    return 1


async def interpreter() -> None:
    """A fixed piece of Python's own work, which searches and questions are compared with."""
    rows = [{"number": number, "text": str(number)} for number in range(200)]
    json.loads(json.dumps(rows))
    sum(len(row) for row in rows)


def workloads(replica: Replica) -> dict[str, Callable[[], Awaitable[object]]]:
    """Name -> what is counted."""
    breaker = replica.circuits.breaker("counted", CircuitPolicy())
    (space,) = (coverage.space for coverage in replica.index.spaces())
    embedding = Embedding(vector=np.ones(space.dimension, np.float32), space=space)
    retriever = LocalRetriever(replica.index)
    return {
        "bare": answer,
        "guarded": lambda: breaker.call(answer),
        "interpreter": interpreter,
        "search": lambda: retriever.retrieve(QUESTION["question"], embedding, TOP_K),
        "question": lambda: ask(replica.app),
    }


async def count(folder: Path) -> None:
    """Counts each several times, each time into a file of its own."""
    callgrind = Callgrind()
    if not callgrind.there:
        sys.exit("this process does not run on valgrind")
    settings = load_settings(folder / "ha_rag.toml", variables={"HA_RAG_REPLICA": "counted"})
    async with build_replica(settings).running() as replica:
        for name, work in workloads(replica).items():
            for _ in range(WARM_UP):
                await work()
            for _ in range(COUNTS):
                callgrind.start()
                for _ in range(CALLS[name]):
                    await work()
                callgrind.stop(name)


if __name__ == "__main__":
    asyncio.run(count(Path(sys.argv[1])))
