"""The caches that the settings ask for, in the fleet's Redis."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.errors import HaRagError
from ha_rag.index.index import Index
from ha_rag.ledger.store.cache import RedisCacheStore
from ha_rag.ledger.store.connection import Client, close, connect
from ha_rag.settings import Settings
from ha_rag.settings.tables import CacheTable
from ha_rag.strategy.answer_cache import AnswerCache
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.embedding_cache import CachedEmbeddings

log = logging.getLogger(__name__)

CONNECTIONS = 16
TIMEOUT_S = 0.25
"""For a connection and a reply. A question waits less; the command goes on, and the connection stays open."""

_NOT_OF_THE_ANSWER = frozenset({"name", "timeout_s", "circuit", "headers", "api_key_env", "api_key_header"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The caches of one replica; all None without `[cache]` or without Redis. Close them with `aclose`."""

    embeddings: CachedEmbeddings | None = None
    answers: AnswerCache | None = None
    client: Client | None = None

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """(cache, what became of a lookup or a value, how often)."""
        for name, access in self._accesses():
            yield from ((name, result, number) for result, number in list(access.counts.items()))

    async def aclose(self) -> None:
        """Ends what is under way, and closes the connections."""
        for _, access in self._accesses():
            await access.aclose()
        if self.client is not None:
            await close(self.client)

    def _accesses(self) -> Iterator[tuple[str, CacheAccess]]:
        if self.embeddings is not None:
            yield "embeddings", self.embeddings.access
        if self.answers is not None:
            yield "answers", self.answers.access


def caches_of(settings: Settings, circuits: CircuitRegistry, index: Index) -> Caches:
    """The caches; nothing is sent yet. Call it within a running event loop."""
    table = settings.cache
    if table is None or not (table.embeddings or table.answers):
        return Caches()
    if settings.redis_url is None:
        log.warning("[cache] has no effect: no Redis is configured to keep embeddings and answers in")
        return Caches()
    client = connect(settings.redis_url.reveal(), timeout_s=TIMEOUT_S, max_connections=CONNECTIONS)

    def access(kind: str, places: int, ttl_s: float) -> CacheAccess:
        store = RedisCacheStore(
            client,
            settings.namespace,
            kind,
            places=places,
            max_bytes=table.max_value_bytes,
            ttl_ms=round(1000 * ttl_s),
        )
        return CacheAccess(
            store,
            max_bytes=table.max_value_bytes,
            reachable=lambda: circuits.reaches_ledger,
            refused=lambda why: refused(circuits, why),
        )

    return Caches(
        embeddings=_embeddings(table, access),
        answers=_answers(table, access, settings, index),
        client=client,
    )


MakeAccess = Callable[[str, int, float], CacheAccess]


def _embeddings(table: CacheTable, access: MakeAccess) -> CachedEmbeddings | None:
    if not table.embeddings:
        return None
    return CachedEmbeddings(access("embeddings", table.max_embeddings, table.embedding_ttl_s))


def _answers(table: CacheTable, access: MakeAccess, settings: Settings, index: Index) -> AnswerCache | None:
    if not table.answers:
        return None
    return AnswerCache(
        access("answers", table.max_answers, table.answer_ttl_s),
        corpus=lambda: corpus_version(index),
        identity=lambda name: generator_identity(settings, name),
    )


def corpus_version(index: Index) -> str:
    """Identifies the documents that are searched now; "" while none are loaded. A memory read."""
    try:
        snapshot = index.snapshot
    except HaRagError:
        return ""
    # A generation of 0.1.0 has no id of its own.
    return ":".join((snapshot.identity, str(snapshot.generation), snapshot.history)) if snapshot.identity else ""


def generator_identity(settings: Settings, name: str) -> str:
    """A generator's kind, service and parameters: another model's answers are not its own."""
    table = next(table for table in settings.generators if table.name == name)
    return json.dumps(table.model_dump(mode="json", exclude=set(_NOT_OF_THE_ANSWER)), sort_keys=True)


def refused(circuits: CircuitRegistry, why: str) -> None:
    """Counts and logs a value that no replica can have written."""
    if circuits.ledger is not None:
        circuits.ledger.refused_values.note("cache", why)
