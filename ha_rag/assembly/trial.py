"""Tries every part of a configuration once, concurrently, and reports the results: `ha-rag check`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, retriever_tiers
from ha_rag.errors import ComponentError, HaRagError, ServiceError, ServiceTimeoutError
from ha_rag.index.index import Index
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import ComponentType, Embedding, Passage
from ha_rag.settings import Settings, redacted
from ha_rag.strategy.tier import DEFAULT_TIMEOUT_S, Tier

QUESTION = "How does a circuit recover?"
SAMPLE = Passage(
    document="trial", id="trial#1", text="A circuit recovers when its timeout is over and a probe succeeds.", score=1.0
)
TRIAL_TIMEOUT_S = 10.0
"""The longest a component may take here, whatever its own timeout: the first call of a cold service is slow."""

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
        found = [_index(settings, index), *_missing_keys(settings)]
        for findings in await asyncio.gather(*trials):
            found += findings
    return found


def _missing_keys(settings: Settings) -> list[Finding]:
    mend = "set the variable if the service requires a key"
    return [Finding("environment", "warning", warning, mend) for warning in settings.warnings]


def _component_trials(settings: Settings, index: Index) -> list[Coroutine[Any, Any, list[Finding]]]:
    urls = settings.service_urls
    return [
        *(_try(ComponentType.EMBEDDER, tier, _embed, urls) for tier in embedder_tiers(settings)),
        *(_try(ComponentType.RETRIEVER, tier, _retrieve, urls) for tier in retriever_tiers(settings, index)),
        *(_try(ComponentType.GENERATOR, tier, _generate, urls) for tier in generator_tiers(settings)),
    ]


async def _embed(embedder: Embedder) -> str:
    embedding = await embedder.embed(QUESTION)
    return f"a vector of {len(embedding.vector)} numbers, space {embedding.space}"


async def _retrieve(retriever: Retriever) -> str:
    no_space = Embedding(np.zeros(1, np.float32), None)
    return f"{len(await retriever.retrieve(QUESTION, no_space, 3))} passages, searched without a vector"


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
        mend = _mend(ServiceTimeoutError(""), part, urls)
        return [Finding(part, "problem", f"no answer within {TRIAL_TIMEOUT_S:g} s", mend)]
    except HaRagError as error:
        return [Finding(part, "problem", redacted(str(error)), _mend(error, part, urls))]
    finally:
        await closed(tier.component)
    took_s = time.monotonic() - started
    if took_s > own_s:
        slow = f"{seen}, but it took {took_s:.2f} s, longer than its timeout_s ({own_s:g})"
        return [Finding(part, "warning", slow, "increase its timeout_s, unless only the first call is slow")]
    return [Finding(part, "ok", f"{seen}, in {1000 * took_s:.1f} ms")]


def _mend(error: HaRagError, part: str, urls: dict[str, str]) -> str:
    url = redacted(urls.get(part, ""))
    status = getattr(error, "status", None)
    if status in (401, 403):
        return "the key is wrong or missing; check api_key_env"
    if status == 404:
        return f"the model or address does not exist; check model and base_url ({url}, which usually ends in /v1)"
    if isinstance(error, ServiceTimeoutError | ServiceError):
        return f"check that {url} is up and reachable from here" if url else ""
    return "check model and dimension" if isinstance(error, ComponentError) and url else ""


def _index(settings: Settings, index: Index) -> Finding:
    folder = settings.index_folder
    if index.problem:
        return Finding("index", "problem", index.problem, f"check index.path ({folder}), or ingest into another folder")
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
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        return f"cannot write an index to {folder}: {nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"cannot write an index to {folder}: no permission to write to {nearest}"
    return None


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        text = "not configured: each replica decides by itself (ha-rag up starts a Redis)"
        return [Finding("redis", "ok", text)]
    seen = await try_redis(settings.redis_url.reveal(), settings.namespace)
    shown = settings.redis_url_shown
    return [Finding("redis", verdict, f"{shown}: {text}", mend) for verdict, text, mend in seen]
