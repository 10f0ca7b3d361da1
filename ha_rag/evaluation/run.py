"""evaluate_into: measures the configured components with a data set, and stores the profile beside their index."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from ha_rag.assembly.documents import embedders_of
from ha_rag.assembly.marks import component_marks
from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, reranker_tiers, retriever_tiers
from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.candidates import Candidates
from ha_rag.evaluation.datasets import Dataset
from ha_rag.evaluation.documents import Searched, clean_up, documents_file, searched_by, work_folder
from ha_rag.evaluation.evaluation import Subject, evaluated
from ha_rag.evaluation.journal import Journal
from ha_rag.evaluation.measuring import EvaluationStoppedError
from ha_rag.extras import require
from ha_rag.index.index import Index
from ha_rag.index.ingest import ingest
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import QualityProfile
from ha_rag.profiles.stored import store_profile
from ha_rag.settings import Settings
from ha_rag.strategy import FallbackStrategy
from ha_rag.threads import size_this_process
from ha_rag.version import version

Shown = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures, where they were stored (None: nowhere), and what is to be said of them."""

    profile: QualityProfile
    stored: Path | None
    notes: tuple[str, ...]


async def evaluate_into(
    settings: Settings, dataset: Dataset, progress: Shown = lambda what, done, total: None, *, answers: bool = True
) -> Evaluation:
    """Measures every plan with `dataset`. `answers`: whether texts are measured, where it has gold answers.

    A data set that is about the index's documents is measured with the index, and its profile is stored. Any other is
    measured with an index of its own documents, and its figures are only told. A run that was stopped is continued.

    Raises ConfigurationError, EvaluationStoppedError (also if the documents change meanwhile), IndexStoreError and
    IndexBusyError.
    """
    require("`evaluate`", "evaluate")
    size_this_process(asyncio.get_running_loop())
    searched = searched_by(dataset, settings.index_folder)
    async with AsyncExitStack() as stack:
        index = stack.enter_context(Index(searched.folder))
        strategy = FallbackStrategy(
            embedders=embedder_tiers(settings),
            retrievers=retriever_tiers(settings, index),
            rerankers=reranker_tiers(settings),
            generators=generator_tiers(settings),
        )
        for tiers in strategy.fallback_chains.values():
            for tier in tiers:
                stack.push_async_callback(closed, tier.component)
        if not searched.own:
            await _fill(index, strategy, dataset, searched, progress)
        subject = Subject(
            candidates=Candidates.of(strategy),
            components=component_marks(settings, strategy.embedders),
            corpus=CorpusVersion.of_index(searched.folder),
        )
        file = work_folder(settings.index_folder) / f"{_safe(dataset.name)}.journal"
        with Journal(file, _about(dataset, subject, answers=answers)) as journal:
            measured = await evaluated(
                dataset, subject, journal, lambda done, total: progress("questions", done, total), answers=answers
            )
            _require_same(subject.corpus, searched.folder)
            stored = store_profile(settings.index_folder, measured) if searched.own else None
            journal.remove()
        notes = (*_notes(dataset, searched), *_vectors_missing(index))
    clean_up(searched)
    return Evaluation(measured, stored, notes)


async def _fill(
    index: Index, strategy: FallbackStrategy, dataset: Dataset, searched: Searched, progress: Shown
) -> None:
    """Ingests the data set's documents into an index of their own; what is there already is left."""
    with documents_file(dataset, searched) as file:
        await ingest(
            [file], index, embedders_of(strategy), progress=lambda step: progress(step.stage, step.done, step.total)
        )
    index.refresh()
    if again := searched_by(dataset, searched.folder).why:
        raise ConfigurationError(f"{dataset.name}: its documents could not all be indexed: {again}")


def _require_same(corpus: CorpusVersion, folder: Path) -> None:
    if CorpusVersion.of_index(folder) != corpus:
        raise EvaluationStoppedError(
            f"the documents in the index at {folder} changed while they were measured, so the figures are of no "
            "corpus: run it again"
        )


def _about(dataset: Dataset, subject: Subject, *, answers: bool) -> str:
    """Changes with everything that a measured question depends on."""
    parts = [dataset.digest, asdict(subject.corpus), {k: asdict(v) for k, v in subject.components.items()}, version()]
    return hashlib.sha256(json.dumps([*parts, answers], sort_keys=True).encode()).hexdigest()


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip(".")[:80] or "data"


def _notes(dataset: Dataset, searched: Searched) -> list[str]:
    notes = []
    if not searched.own:
        notes.append(
            f"measured with the data set's own documents, so not stored as a profile of the index: {searched.why}"
        )
    if dataset.unjudged:
        notes.append(f"{dataset.unjudged:,} questions were left out: no document is judged relevant to them")
    return notes


def _vectors_missing(index: Index) -> list[str]:
    return [
        f"{held.passages - held.vectors:,} of {held.passages:,} passages have no vector in the space {held.space}: its "
        "embedder is measured as it stands; ingest again to add them"
        for held in index.spaces()
        if not held.complete
    ]
