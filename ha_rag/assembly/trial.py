"""Tries every part of a configuration once, concurrently, and reports the results: `ha-rag check`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ha_rag.assembly.quality_trial import try_quality
from ha_rag.assembly.redis_trial import try_redis
from ha_rag.assembly.remedy import remedy
from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, reranker_tiers, retriever_tiers
from ha_rag.errors import HaRagError, ServiceTimeoutError
from ha_rag.index.examining import examine_folder
from ha_rag.index.index import Index
from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever
from ha_rag.messages import ComponentType, Embedding, Passage
from ha_rag.settings import Settings, redacted
from ha_rag.strategy.replies import usable_scores
from ha_rag.strategy.tier import DEFAULT_TIMEOUT_S, Tier

QUESTION = "How does a circuit recover?"
SAMPLE = Passage(
    document="trial", id="trial#1", text="A circuit recovers when its timeout is over and a probe succeeds.", score=1.0
)
OTHER = Passage(document="trial", id="trial#2", text="Preheat the oven and butter the cake tin.", score=0.5)
TRIAL_TIMEOUT_S = 10.0
"""The longest a component may take here, whatever its own timeout: the first call of a cold service is slow."""

MENDS = "ha-rag ingest FOLDER, with the folder that the documents were read from"

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one part. `text`: the observation. `mend`: the remedy, or ""."""

    part: str
    verdict: Verdict
    text: str
    mend: str = ""


async def try_everything(settings: Settings) -> list[Finding]:
    """Tries every component, the index and Redis. Failures become findings instead of exceptions."""
    with Index(settings.index_folder) as index:
        trials = [*_component_trials(settings, index), _redis(settings)]
        found = [_index(settings, index), *await _quality(settings, index), *_warnings(settings)]
        for findings in await asyncio.gather(*trials):
            found += findings
    return [replace(each, text=settings.redactor.redacted(each.text)) for each in found]


def _warnings(settings: Settings) -> list[Finding]:
    return [Finding(warning.part, "warning", warning, warning.mend) for warning in settings.warnings]


async def _quality(settings: Settings, index: Index) -> list[Finding]:
    seen = await try_quality(settings, index)
    return [] if seen is None else [Finding("quality", "ok" if seen[0] else "warning", *seen[1:])]


def _component_trials(settings: Settings, index: Index) -> list[Coroutine[Any, Any, list[Finding]]]:
    urls = settings.service_urls
    return [
        *(_try(ComponentType.EMBEDDER, tier, _embed, urls) for tier in embedder_tiers(settings)),
        *(_try(ComponentType.RETRIEVER, tier, _retrieve, urls) for tier in retriever_tiers(settings, index)),
        *(_try(ComponentType.RERANKER, tier, _rerank, urls) for tier in reranker_tiers(settings)),
        *(_try(ComponentType.GENERATOR, tier, _generate, urls) for tier in generator_tiers(settings)),
    ]


async def _embed(embedder: Embedder) -> str:
    embedding = await embedder.embed(QUESTION)
    return f"a vector of {len(embedding.vector)} numbers, space {embedding.space}"


async def _retrieve(retriever: Retriever) -> str:
    no_space = Embedding(np.zeros(1, np.float32), None)
    return f"{len(await retriever.retrieve(QUESTION, no_space, 3))} passages, searched without a vector"


async def _rerank(reranker: Reranker) -> str:
    scores = usable_scores(await reranker.rerank(QUESTION, [SAMPLE, OTHER]), 2)
    return f"scores {scores[0]:.3g} for a passage that answers, {scores[1]:.3g} for another"


async def _generate(generator: Generator) -> str:
    text = " ".join((await generator.generate(QUESTION, [SAMPLE])).text.split())
    return f"answered {text[:60]!r}"


async def _try(
    kind: ComponentType, tier: Tier[Any], ask: Callable[[Any], Awaitable[str]], urls: dict[str, str]
) -> list[Finding]:
    part = f"{kind}.{tier.name}"
    own_s = tier.timeout_s or DEFAULT_TIMEOUT_S[kind]
    started = time.monotonic()
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT_S):
            seen = await ask(tier.component)
    except TimeoutError:
        mend = remedy(ServiceTimeoutError(""), part, redacted(urls.get(part, "")))
        return [Finding(part, "problem", f"no answer within {TRIAL_TIMEOUT_S:g} s", mend)]
    except HaRagError as error:
        return [Finding(part, "problem", redacted(str(error)), remedy(error, part, redacted(urls.get(part, ""))))]
    finally:
        await closed(tier.component)
    took_s = time.monotonic() - started
    if took_s > own_s:
        slow = f"{seen}, but it took {took_s:.2f} s, longer than its timeout_s ({own_s:g})"
        return [Finding(part, "warning", slow, "increase its timeout_s, unless only the first call is slow")]
    return [Finding(part, "ok", f"{seen}, in {1000 * took_s:.1f} ms")]


def _index(settings: Settings, index: Index) -> Finding:
    folder = settings.index_folder
    if not index.loaded:
        text = _not_a_folder(folder) or index.problem or f"the index at {folder} cannot be read"
        return Finding("index", "problem", text, "grant this user access, restore a backup, or change index.path")
    if index.exists and (damage := examine_folder(folder)):
        return Finding("index", "problem", "; ".join(damage), MENDS)
    if index.problem:
        return Finding("index", "problem", index.problem, MENDS)
    if not index.exists:
        if obstacle := _obstacle(folder):
            return Finding("index", "problem", obstacle, "grant this user write access, or change index.path")
        return Finding("index", "warning", f"there is no index at {folder} yet", "ha-rag ingest FOLDER")
    spaces = [f"{held.space} ({held.vectors} of {held.passages})" for held in index.spaces()]
    text = f"{index.documents} documents, {index.passages} passages; vectors: {', '.join(spaces) or 'none'}"
    if any(not held.complete for held in index.spaces()):
        return Finding("index", "warning", text, "ingest again to add the missing vectors")
    return Finding("index", "ok", text)


def _obstacle(folder: Path) -> str | None:
    """Why an ingest could not create an index in `folder`, or None if nothing speaks against it."""
    nearest = _nearest(folder)
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"cannot write an index to {folder}: no permission to write to {nearest}"
    return None


def _not_a_folder(folder: Path) -> str | None:
    with suppress(OSError):
        nearest = _nearest(folder)
        if nearest.exists() and not nearest.is_dir():
            return f"cannot write an index to {folder}: {nearest} is not a folder"
    return None


def _nearest(folder: Path) -> Path:
    """The folder itself, or what is there of the path to it."""
    return next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        text = "not configured: each replica decides by itself (ha-rag up starts a Redis)"
        return [Finding("redis", "ok", text)]
    seen = await try_redis(settings.redis_url.reveal(), settings.namespace)
    shown = settings.redis_url_shown
    return [Finding("redis", verdict, f"{shown}: {text}", mend) for verdict, text, mend in seen]
