"""One ingest, timed step by step: a JSON object with seconds, passages and the most memory that it used.

A worker of `ingest_speed`; its arguments are the folder of the documents and that of the index.

An ingest reads, splits and embeds a batch while it writes the one before: of these two sums of seconds, the larger one
tells what binds. A step's seconds include what it waited for the other's.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.index import Index, ingest
from ha_rag.threads import size_this_process

STEPS = {
    "read": ("ha_rag.index.collector", "Collector.next_batch"),
    "split": ("ha_rag.index.collector", "split"),
    "embed": ("ha_rag.components.embedders.local", "LocalEmbedder._embed_batch"),
    "write words": ("ha_rag.index.publishing", "write_lexical"),
    "write vectors' graph": ("ha_rag.index.publishing", "compact"),
    "write database": ("ha_rag.index.ingest", "_store"),
}
"""Step -> where its function is looked up."""
WITHIN = {"split": "read", "write words": "write database", "write vectors' graph": "write database"}
"""Step -> the one that calls it. The seconds of that one are without it."""


def timed(module: str, name: str, add: Callable[[float], None]) -> None:
    """Replaces a function by one that adds up its seconds."""
    *owners, last = name.split(".")
    owner = functools.reduce(getattr, owners, sys.modules.get(module) or importlib.import_module(module))
    work = getattr(owner, last)

    @functools.wraps(work)
    def timing(*args: Any, **kwargs: Any) -> Any:
        began_s = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            add(time.perf_counter() - began_s)

    setattr(owner, last, timing)


async def measured(documents: Path, folder: Path) -> dict[str, Any]:
    """Ingests `documents` into an index in `folder`."""
    size_this_process(asyncio.get_running_loop())
    spent: dict[str, float] = dict.fromkeys(STEPS, 0.0)
    for step, (module, name) in STEPS.items():
        timed(module, name, functools.partial(_add, spent, step))
    began_s = time.perf_counter()
    with Index(folder) as index:
        report = await ingest([documents], index, {"primary": LocalEmbedder()})
    seconds = time.perf_counter() - began_s
    for step, whole in WITHIN.items():
        spent[whole] -= spent[step]
    return {
        "seconds": seconds,
        "passages": report.passages,
        "most_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "steps": spent,
    }


def _add(spent: dict[str, float], step: str, seconds: float) -> None:
    spent[step] += seconds


def main() -> None:
    """Prints the figures."""
    documents, folder = map(Path, sys.argv[1:])
    print(json.dumps(asyncio.run(measured(documents, folder))))


if __name__ == "__main__":
    main()
