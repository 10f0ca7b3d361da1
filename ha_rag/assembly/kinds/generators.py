"""The kinds of generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.assembly.kinds.services import service_config
from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Generator
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable, Seconds, ServiceTable

if TYPE_CHECKING:
    from ha_rag.components.extraction.similarity import TokenEmbedder

GENERATORS: KindRegistry[[Settings], Generator] = KindRegistry(
    ComponentType.GENERATOR, default=[{"name": "extractive", "kind": "extractive"}]
)


class OpenAIGeneratorTable(ServiceTable):
    """Chat completions from an OpenAI-compatible service."""

    timeout_s: Seconds = Field(default=8.0, description="The longest a call may take, in seconds.")


@GENERATORS.register("openai", OpenAIGeneratorTable)
def _openai(table: OpenAIGeneratorTable, settings: Settings) -> Generator:
    from ha_rag.components.generators.openai import OpenAIGenerator

    service = service_config(settings, ComponentType.GENERATOR, table)
    return OpenAIGenerator(service, model=table.request_model or table.model, parameters=table.extra_body)


class ExtractiveGeneratorTable(ComponentTable):
    """Quotes what the passages say, with citations, or says that they do not say; needs no model."""


@GENERATORS.register("extractive", ExtractiveGeneratorTable)
def _extractive(_: ExtractiveGeneratorTable, __: Settings) -> Generator:
    from ha_rag.components.generators.extractive import ExtractiveGenerator

    return ExtractiveGenerator(embedder=_local_embedder())


def _local_embedder() -> TokenEmbedder | None:
    """The embedder inside this process; None where it is not installed: the generator goes by words alone."""
    from ha_rag.components.embedders.local import LocalEmbedder

    try:
        return LocalEmbedder()
    except ConfigurationError:
        return None
