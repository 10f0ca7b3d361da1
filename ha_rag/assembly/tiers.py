"""The tiers of each chain, built from the settings."""

from __future__ import annotations

from typing import TypeVar

from ha_rag.assembly.kinds import EMBEDDERS, GENERATORS, RERANKERS, RETRIEVERS
from ha_rag.index.index import Index
from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.components import circuit_name
from ha_rag.settings.tables import ComponentTable
from ha_rag.strategy.tier import Tier

C = TypeVar("C")


def embedder_tiers(settings: Settings) -> list[Tier[Embedder]]:
    """The embedders in fallback order. Raises ConfigurationError."""
    return [
        _tier(settings, EMBEDDERS.component_type, table, EMBEDDERS.build(table, settings))
        for table in settings.embedders
    ]


def retriever_tiers(settings: Settings, index: Index) -> list[Tier[Retriever]]:
    """The retrievers in fallback order. Raises ConfigurationError."""
    return [
        _tier(settings, RETRIEVERS.component_type, table, RETRIEVERS.build(table, settings, index))
        for table in settings.retrievers
    ]


def reranker_tiers(settings: Settings) -> list[Tier[Reranker]]:
    """The rerankers in fallback order; none unless the file lists some. Raises ConfigurationError."""
    return [
        _tier(settings, RERANKERS.component_type, table, RERANKERS.build(table, settings))
        for table in settings.rerankers
    ]


def generator_tiers(settings: Settings) -> list[Tier[Generator]]:
    """The generators in fallback order. Raises ConfigurationError."""
    return [
        _tier(settings, GENERATORS.component_type, table, GENERATORS.build(table, settings))
        for table in settings.generators
    ]


def _tier(settings: Settings, type_: ComponentType, table: ComponentTable, component: C) -> Tier[C]:
    circuit = settings.circuits[circuit_name(type_, table)]
    return Tier(table.name, component, table.timeout_s, circuit.policy, circuit.scope)
