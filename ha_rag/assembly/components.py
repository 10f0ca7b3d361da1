"""From settings to components: the only place that knows which class stands behind which `kind`."""

from __future__ import annotations

from typing import TypeVar

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever, ReducedLocalRetriever
from ha_rag.components.service_config import ServiceConfig
from ha_rag.index.index import Index
from ha_rag.interfaces import Embedder, Generator, Retriever
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.shape import (
    ComponentTable,
    EmbedderTable,
    ExtractiveGeneratorTable,
    GeneratorTable,
    HashingEmbedderTable,
    LexicalRetrieverTable,
    LocalEmbedderTable,
    LocalRetrieverTable,
    OpenAIEmbedderTable,
    OpenAIGeneratorTable,
    ReducedRetrieverTable,
    RetrieverTable,
    ServiceTable,
)
from ha_rag.strategy.tier import Tier

C = TypeVar("C")


def embedder_of(settings: Settings, table: EmbedderTable) -> Embedder:
    """The embedder that `table` describes."""
    match table:
        case OpenAIEmbedderTable():
            service = _service(settings, f"{ComponentType.EMBEDDER}.{table.name}", table)
            return OpenAIEmbedder(service, model=table.model, dimension=table.dimension)
        case LocalEmbedderTable():
            return LocalEmbedder()
        case HashingEmbedderTable():
            return HashingEmbedder(table.dimension)


def retriever_of(table: RetrieverTable, index: Index) -> Retriever:
    """The retriever that `table` describes, over `index`."""
    match table:
        case LocalRetrieverTable():
            return LocalRetriever(index)
        case ReducedRetrieverTable():
            return ReducedLocalRetriever(index, max_docs=table.max_docs)
        case LexicalRetrieverTable():
            return LexicalRetriever(index)


def generator_of(settings: Settings, table: GeneratorTable) -> Generator:
    """The generator that `table` describes."""
    match table:
        case OpenAIGeneratorTable():
            service = _service(settings, f"{ComponentType.GENERATOR}.{table.name}", table)
            return OpenAIGenerator(service, model=table.model)
        case ExtractiveGeneratorTable():
            return ExtractiveGenerator()


def embedder_tiers(settings: Settings) -> list[Tier[Embedder]]:
    """The embedders in fallback order, with their circuits' rules."""
    kind = ComponentType.EMBEDDER
    return [_tier(settings, kind, table, embedder_of(settings, table)) for table in settings.embedders]


def retriever_tiers(settings: Settings, index: Index) -> list[Tier[Retriever]]:
    """The retrievers in fallback order, with their circuits' rules."""
    kind = ComponentType.RETRIEVER
    return [_tier(settings, kind, table, retriever_of(table, index)) for table in settings.retrievers]


def generator_tiers(settings: Settings) -> list[Tier[Generator]]:
    """The generators in fallback order, with their circuits' rules."""
    kind = ComponentType.GENERATOR
    return [_tier(settings, kind, table, generator_of(settings, table)) for table in settings.generators]


def _tier(settings: Settings, kind: ComponentType, table: ComponentTable, component: C) -> Tier[C]:
    circuit = settings.circuits[f"{kind}.{table.name}"]
    return Tier(table.name, component, table.timeout_s, circuit.policy, circuit.scope)


def _service(settings: Settings, circuit: str, table: ServiceTable) -> ServiceConfig:
    key = settings.api_keys_of.get(circuit)
    return ServiceConfig(
        base_url=table.base_url,
        api_key=key.reveal() if key else None,
        headers={"X-HA-RAG-Replica": settings.replica},
        # The tier cuts the call at its timeout and counts it; the client's own limit stands behind that.
        timeout_s=table.timeout_s + 1.0,
    )
