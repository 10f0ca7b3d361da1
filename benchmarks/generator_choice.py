"""Choosing generators by measured quality against list order, with the first embedder out.

    python -m benchmarks.generator_choice [--sets en de zh th] [--questions 200] [--write docs/resilience-patterns.md]

As `benchmarks.quality_choice`, with two generators: the plans are measured with the questions of even number, and the
outage is played with those of odd number. The services are the simulated provider, a process of its own, which is no
language model: it quotes up to four sentences by words alone. So the figures show what choosing gains where a list is
in the wrong order, and nothing of how good models are. Cranfield has no gold answers, so generators cannot be measured
with it and stay in list order there. XQuAD is read from HA_RAG_XQUAD (default ../shared/data/xquad).
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.made_table import show
from benchmarks.own_redis import free_port
from benchmarks.processes import program, ready
from benchmarks.quality_choice import CONFIGURATIONS, given, halves, measured, played, row, strategy_of
from ha_rag.assembly.configuration import settings_of
from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers
from ha_rag.evaluation.candidates import Candidates
from ha_rag.evaluation.datasets import Dataset
from ha_rag.evaluation.documents import Searched, documents_file
from ha_rag.evaluation.evaluation import Subject, evaluated
from ha_rag.evaluation.journal import Journal
from ha_rag.index import Index, ingest
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.settings import Settings, read_environment
from ha_rag.strategy import FallbackStrategy

SETS = ("en", "de", "zh", "th")
EMBEDDERS = CONFIGURATIONS["onnx, hashing at half weight"]
SHORT_TOKENS = 24


def generators(provider: str) -> dict[str, list[dict[str, Any]]]:
    """Lists of two generators."""
    service = {"kind": "openai", "base_url": f"{provider}/v1", "model": "gpt-4o-mini"}
    extractive = {"name": "extractive", "kind": "extractive"}
    short = {**service, "name": "short", "extra_body": {"max_tokens": SHORT_TOKENS}}
    return {
        f"service limited to {SHORT_TOKENS} tokens, extractive": [short, extractive],
        "service, extractive": [{**service, "name": "service"}, extractive],
    }


def settings_for(folder: str, listed: list[dict[str, Any]]) -> Settings:
    content = {"index": {"path": folder}, "embedders": EMBEDDERS, "generators": listed}
    return settings_of(content, read_environment({}))


@asynccontextmanager
async def used(strategy: FallbackStrategy) -> AsyncIterator[FallbackStrategy]:
    """The strategy, whose connections are closed at the end."""
    try:
        yield strategy
    finally:
        for tier in strategy.generators:
            await closed(tier.component)


async def rows_of(name: str, data: Dataset, most: int, provider: str) -> list[str]:
    even, odd = halves(data, most)
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder, Index(folder) as index:
        for configuration, listed in generators(provider).items():
            settings = settings_for(folder, listed)
            if not rows:
                with documents_file(data, Searched(Path(folder) / "documents", own=False)) as file:
                    embedders = {tier.name: tier.component for tier in embedder_tiers(settings)}
                    await ingest([file], index, embedders)
                index.refresh()
            async with used(strategy_of(settings, index)) as strategy:
                subject = Subject(candidates=Candidates.of(strategy), components={}, corpus=CorpusVersion(0, ()))
                with Journal(Path(folder) / "journal", configuration) as journal:
                    table = (await evaluated(even, subject, journal, lambda done, total: None)).table()
                up = await played(strategy, odd.questions)
            async with used(strategy_of(settings, index, out=True)) as strategy:
                by_list = await played(strategy, odd.questions)
            async with used(strategy_of(settings, index, out=True, choose="quality", table=table)) as strategy:
                chosen = await played(strategy, odd.questions)
            rows.append(row(name, configuration, up, by_list, chosen))
            print(rows[-1], flush=True)
    return rows


async def measured_beside(provider: str, sets: list[str], most: int) -> str:
    await ready(f"{provider}/health")
    return await measured(sets, "generators", functools.partial(rows_of, most=most, provider=provider))


def main() -> None:
    options = given(__doc__, SETS)
    port = free_port()
    with program("-m", "ha_rag.simulation", "--port", str(port)):
        table = asyncio.run(measured_beside(f"http://127.0.0.1:{port}", options.sets, options.questions))
    show("generator_choice", table, options.write)


if __name__ == "__main__":
    main()
