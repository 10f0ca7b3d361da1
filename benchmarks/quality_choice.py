"""Choosing tiers by measured quality against list order, with the first embedder out: what each finds and answers.

    python -m benchmarks.quality_choice [--sets cranfield en de zh th] [--questions 200]
        [--write docs/resilience-patterns.md]

The plans are measured with the questions of even number (as `ha-rag evaluate` does), and the outage is played with
those of odd number, so no choice is judged by the questions that made it. The pipeline is the real one: the first
embedder fails every call, its circuit opens, and the tiers answer in list order or by the measured figures. nDCG@10 is
graded, of the ten best documents; gold is the share of answers with the gold words, from three passages. Cranfield is
read from HA_RAG_CRANFIELD, XQuAD from HA_RAG_XQUAD (default ../shared/data).
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.made_table import show
from ha_rag.assembly.configuration import settings_of
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, retriever_tiers
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.clock import SystemClock
from ha_rag.errors import ComponentError
from ha_rag.evaluation.candidates import Candidates
from ha_rag.evaluation.datasets import Dataset, JudgedQuestion, read_dataset
from ha_rag.evaluation.documents import Searched, documents_file
from ha_rag.evaluation.evaluation import Subject, evaluated
from ha_rag.evaluation.journal import Journal
from ha_rag.evaluation.measures import NDCG, has_gold, ranking_figures
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Embedder
from ha_rag.messages import Embedding
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.settings import Settings, read_environment
from ha_rag.strategy import FallbackStrategy, QualityTable, Tier
from ha_rag.strategy.inquiry import Inquiry
from ha_rag.strategy.quality import Choose
from ha_rag.system import HighAvailabilityRAG
from ha_rag.threads import size_this_process

DATA = Path("../shared/data")
CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", DATA / "cranfield"))
XQUAD = Path(os.environ.get("HA_RAG_XQUAD", DATA / "xquad"))
SETS = ("cranfield", "en", "de", "zh", "th")
CONFIGURATIONS: dict[str, list[dict[str, Any]]] = {
    "the default: local, hashing": [{"name": "local", "kind": "local"}, {"name": "hashing", "kind": "hashing"}],
    "onnx, local at half weight": [
        {"name": "onnx", "kind": "onnx"},
        {"name": "local", "kind": "local", "weight": 0.5},
    ],
    "onnx, local by vectors alone": [
        {"name": "onnx", "kind": "onnx"},
        {"name": "local", "kind": "local", "weight": 1.0},
    ],
    "onnx, hashing at half weight": [
        {"name": "onnx", "kind": "onnx"},
        {"name": "hashing", "kind": "hashing", "weight": 0.5},
    ],
}
"""Half is the default weight of an embedder behind a service, however good it is."""


class Out:
    """An embedder whose service is out."""

    def __init__(self, embedder: Embedder) -> None:
        self.space, self.dimension = embedder.space, embedder.dimension

    async def embed(self, text: str) -> Embedding:
        raise ComponentError("out")

    async def embed_many(self, texts: object) -> list[Embedding]:
        raise ComponentError("out")


@dataclass(frozen=True)
class Outcome:
    """`plan`: the one that served most questions. `gold`: None where there are no gold answers."""

    ndcg: float
    gold: float | None
    plan: str


def halves(data: Dataset, most: int) -> tuple[Dataset, Dataset]:
    """The questions of even number to measure with, and those of odd number to judge by."""
    even, odd = (replace(data, questions=data.questions[start::2]).sample(most) for start in (0, 1))
    return even, odd


def settings_for(folder: str, embedders: list[dict[str, Any]]) -> Settings:
    return settings_of({"index": {"path": folder}, "embedders": embedders}, read_environment({}))


def strategy_of(
    settings: Settings, index: Index, *, out: bool = False, choose: Choose = "order", table: QualityTable | None = None
) -> FallbackStrategy:
    first, *others = embedder_tiers(settings)
    embedders = [Tier(first.name, Out(first.component), first.timeout_s) if out else first, *others]
    return FallbackStrategy(
        embedders=embedders,
        retrievers=retriever_tiers(settings, index),
        generators=generator_tiers(settings),
        quality=table,
        choose=choose,
    )


async def played(strategy: FallbackStrategy, questions: tuple[JudgedQuestion, ...]) -> Outcome:
    """What the pipeline finds and answers."""
    found: dict[str, list[str]] = {}
    gold, plans = [], []
    async with CircuitRegistry.connect() as circuits, HighAvailabilityRAG(strategy, circuits) as rag:
        for question in questions:
            inquiry = Inquiry.of(question.text, 10, 30.0, SystemClock())
            embedding = await rag.get_embedding(inquiry.question, inquiry=inquiry)
            passages = await rag.get_relevant_documents(embedding, 10, inquiry=inquiry)
            found[question.id] = list(dict.fromkeys(passage.document for passage in passages))
            if question.gold:
                answer = await rag.generate_response(inquiry.question, passages[:3], inquiry=inquiry)
                gold.append(float(has_gold(answer.text, question.gold)))
            chosen = (
                ("embedder", "retriever", "generator") if len(strategy.generators) > 1 else ("embedder", "retriever")
            )
            plans.append(" + ".join(inquiry.served_by[stage] for stage in chosen if stage in inquiry.served_by))
    ndcg = ranking_figures({question.id: question.relevant for question in questions}, found)[NDCG]
    return Outcome(ndcg, statistics.fmean(gold) if gold else None, statistics.mode(plans))


async def rows_of(name: str, data: Dataset, most: int) -> list[str]:
    even, odd = halves(data, most)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Index(folder) as index:
        kinds = settings_for(folder, [{"name": kind, "kind": kind} for kind in ("onnx", "local", "hashing")])
        with documents_file(data, Searched(Path(folder) / "documents", own=False)) as file:
            await ingest([file], index, {tier.name: tier.component for tier in embedder_tiers(kinds)})
        index.refresh()
        for configuration, embedders in CONFIGURATIONS.items():
            settings = settings_for(folder, embedders)
            subject = Subject(
                candidates=Candidates.of(strategy_of(settings, index)), components={}, corpus=CorpusVersion(0, ())
            )
            with Journal(Path(folder) / "journal", configuration) as journal:
                profile = await evaluated(even, subject, journal, lambda done, total: None)
            up = await played(strategy_of(settings, index), odd.questions)
            by_list = await played(strategy_of(settings, index, out=True), odd.questions)
            table = profile.table()
            chosen = await played(strategy_of(settings, index, out=True, choose="quality", table=table), odd.questions)
            rows.append(row(name, configuration, up, by_list, chosen))
            print(rows[-1], flush=True)
    return rows


def row(name: str, configuration: str, up: Outcome, by_list: Outcome, chosen: Outcome) -> str:
    def shown(outcome: Outcome) -> str:
        return f"{outcome.ndcg:.3f}" + ("" if outcome.gold is None else f" / {outcome.gold:.3f}")

    by_list_shown, chosen_shown = f"{shown(by_list)} ({by_list.plan})", f"{shown(chosen)} ({chosen.plan})"
    better = f"{chosen.ndcg - by_list.ndcg:+.3f}"
    if chosen.gold is not None and by_list.gold is not None:
        better += f" / {chosen.gold - by_list.gold:+.3f}"
    cells = (name, configuration, shown(up), by_list_shown, chosen_shown, better)
    return f"| {' | '.join(cells)} |"


RowsOf = Callable[[str, Dataset], Awaitable[list[str]]]


async def measured(sets: list[str], compared: str, rows_of: RowsOf) -> str:
    """The table. `compared`: what the rows of one set differ in. `rows_of`: makes the rows of a set, by its name."""
    size_this_process(asyncio.get_running_loop())
    lines = [
        f"| questions | {compared} | nothing out | first embedder out: list order | by quality | difference |",
        "|---|---|---|---|---|---|",
    ]
    for name in sets:
        folder = CRANFIELD if name == "cranfield" else XQUAD / name
        if not folder.is_dir():
            print(f"{name} is not at {folder}: left out", file=sys.stderr)
            continue
        lines += await rows_of(name if name == "cranfield" else f"XQuAD {name}", read_dataset(folder))
    return "\n".join(lines)


def given(description: str | None, sets: Sequence[str]) -> argparse.Namespace:
    """The options of the command line. `sets`: those that can be measured with."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(sets), choices=sets)
    parser.add_argument("--questions", type=int, default=200, help="at most, of each half")
    parser.add_argument("--write", type=Path, help="a page whose table is replaced")
    return parser.parse_args()


def main() -> None:
    options = given(__doc__, SETS)
    table = measured(options.sets, "embedders", functools.partial(rows_of, most=options.questions))
    show("quality_choice", asyncio.run(table), options.write)


if __name__ == "__main__":
    main()
