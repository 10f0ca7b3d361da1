"""The process that callgrind counts: a guarded call, a search and a whole question, each after a warm-up.

Run by `benchmarks.instructions` with the folder of a replica's configuration.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from benchmarks.call_trace import ask
from benchmarks.one_question import QUESTION
from benchmarks.valgrind_requests import Callgrind
from ha_rag import CircuitPolicy
from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import Replica, build_replica
from ha_rag.components.retrievers import placement
from ha_rag.components.retrievers.local import LocalRetriever
from ha_rag.messages import Embedding

CALLS = {"bare": 200, "guarded": 200, "interpreter": 10, "search": 20, "question": 10}
"""How many make one count."""
COUNTS = 7
"""The median of them is told."""
WARM_UP = 20
BETWEEN_S = 0.2
"""Between counts: time for what a replica does at intervals."""


class PausableLoop(asyncio.SelectorEventLoop):
    """An event loop whose time can stand still: then nothing that waits for a moment runs, only what waits for data.

    So reports and polls fall between the counts, however slow the machine is.
    """

    paused_s: float | None = None

    def time(self) -> float:
        return super().time() if self.paused_s is None else self.paused_s


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


async def count(folder: Path, loop: PausableLoop) -> None:
    """Counts each several times, each time into a file of its own."""
    callgrind = Callgrind()
    if not callgrind.there:
        sys.exit("this process does not run on valgrind")
    placement.LONGEST_ON_LOOP_S = math.inf  # on valgrind a search is long, and what a handover to a thread costs varies
    settings = load_settings(folder / "ha_rag.toml", variables={"HA_RAG_REPLICA": "counted"})
    async with build_replica(settings).running() as replica:
        for name, work in workloads(replica).items():
            for _ in range(WARM_UP):
                await work()
            for _ in range(COUNTS):
                await asyncio.sleep(BETWEEN_S)
                loop.paused_s = loop.time()
                callgrind.start()
                for _ in range(CALLS[name]):
                    await work()
                callgrind.stop(name)
                loop.paused_s = None


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=PausableLoop) as runner:
        running = runner.get_loop()
        assert isinstance(running, PausableLoop)
        runner.run(count(Path(sys.argv[1]), running))
