"""The kinds of embedders."""

from __future__ import annotations

from pydantic import Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.assembly.kinds.services import service_config
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable, ServiceTable

EMBEDDERS: KindRegistry[[Settings], Embedder] = KindRegistry(
    ComponentType.EMBEDDER, default=[{"name": "primary", "kind": "local"}, {"name": "secondary", "kind": "hashing"}]
)


class OpenAIEmbedderTable(ServiceTable):
    """Embeddings from an OpenAI-compatible service."""

    dimension: int = Field(ge=1, le=65_536, description="The width of its vectors.")


@EMBEDDERS.register("openai", OpenAIEmbedderTable)
def _openai(table: OpenAIEmbedderTable, settings: Settings) -> Embedder:
    from ha_rag.components.embedders.openai import OpenAIEmbedder

    service = service_config(settings, ComponentType.EMBEDDER, table)
    return OpenAIEmbedder(service, model=table.model, dimension=table.dimension)


class LocalEmbedderTable(ComponentTable):
    """A small static model inside the process (wordllama); needs no network."""


@EMBEDDERS.register("local", LocalEmbedderTable)
def _local(_: LocalEmbedderTable, __: Settings) -> Embedder:
    from ha_rag.components.embedders.local import LocalEmbedder

    return LocalEmbedder()


class HashingEmbedderTable(ComponentTable):
    """Hashed words and character n-grams; needs only numpy. The least accurate, but it cannot fail."""

    dimension: int = Field(default=256, ge=8, le=65_536, description="The width of its vectors.")


@EMBEDDERS.register("hashing", HashingEmbedderTable)
def _hashing(table: HashingEmbedderTable, _: Settings) -> Embedder:
    from ha_rag.components.embedders.hashing import HashingEmbedder

    return HashingEmbedder(table.dimension)
