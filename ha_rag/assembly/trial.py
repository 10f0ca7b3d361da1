"""Tries every part that the settings name, once and all at the same time, and says how each did."""

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
PATIENCE_S = 10.0
"""The longest any part may take here, whatever its own timeout: cold services answer their first call late."""

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part did. `text`: what was seen, as a sentence. `mend`: what to do about it, or ""."""

    part: str
    verdict: Verdict
    text: str
    mend: str = ""


async def try_everything(settings: Settings) -> list[Finding]:
    """Every component, the index and Redis. Never raises for what is out: that is what it is asked to find."""
    with Index(settings.index_folder) as index:
        trials = [*_component_trials(settings, index), _redis(settings)]
        found = [_index(settings, index), *_missing_keys(settings)]
        for findings in await asyncio.gather(*trials):
            found += findings
    return found


def _missing_keys(settings: Settings) -> list[Finding]:
    mend = "set the variable if the service wants a key"
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
    nowhere = Embedding(np.zeros(1, np.float32), None)
    return f"{len(await retriever.retrieve(QUESTION, nowhere, 3))} passages, searched by words"


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
        async with asyncio.timeout(PATIENCE_S):
            seen = await ask(tier.component)
    except TimeoutError:
        return [
            Finding(
                part, "problem", f"did not answer within {PATIENCE_S:g} s", _mend(ServiceTimeoutError(""), part, urls)
            )
        ]
    except HaRagError as error:
        return [Finding(part, "problem", redacted(str(error)), _mend(error, part, urls))]
    finally:
        await closed(tier.component)
    took_s = time.monotonic() - started
    if took_s > own_s:
        slow = f"{seen}, but in {took_s:.2f} s, which is more than its timeout_s ({own_s:g})"
        return [Finding(part, "warning", slow, "raise its timeout_s, unless only the first call is slow")]
    return [Finding(part, "ok", f"{seen}, in {1000 * took_s:.1f} ms")]


def _mend(error: HaRagError, part: str, urls: dict[str, str]) -> str:
    url = redacted(urls.get(part, ""))
    status = getattr(error, "status", None)
    if status in (401, 403):
        return "the key is wrong or missing: see its api_key_env"
    if status == 404:
        return f"there is no such model or address: see its model and base_url ({url}; it usually ends in /v1)"
    if isinstance(error, ServiceTimeoutError | ServiceError):
        return f"see whether {url} is up and can be reached from here" if url else ""
    return "see its model and dimension" if isinstance(error, ComponentError) and url else ""


def _index(settings: Settings, index: Index) -> Finding:
    folder = settings.index_folder
    if index.problem:
        return Finding(
            "index", "problem", index.problem, f"see index.path ({folder}), or ingest anew into another folder"
        )
    if not index.exists:
        if obstacle := _obstacle(folder):
            return Finding("index", "problem", obstacle, "give this user that right, or name another index.path")
        return Finding("index", "warning", f"there is none at {folder} yet", "ha-rag ingest FOLDER")
    spaces = [f"{held.space} ({held.vectors} of {held.passages})" for held in index.spaces()]
    text = f"{index.documents} documents, {index.passages} passages; vectors: {', '.join(spaces) or 'none'}"
    if any(not held.complete for held in index.spaces()):
        return Finding("index", "warning", text, "ingest again: it fills the vectors that are missing")
    return Finding("index", "ok", text)


def _obstacle(folder: Path) -> str | None:
    """Why an ingest could not begin an index in `folder`, as far as looking can tell."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        return f"no index can be kept at {folder}: {nearest} is no folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"no index can be kept at {folder}: no permission to write in {nearest}"
    return None


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        text = "none is configured: each replica judges alone (ha-rag up brings one along)"
        return [Finding("redis", "ok", text)]
    seen = await try_redis(settings.redis_url.reveal(), settings.namespace)
    shown = settings.redis_url_shown
    return [Finding("redis", verdict, f"{shown}: {text}", mend) for verdict, text, mend in seen]
