"""The kinds of generators."""

from __future__ import annotations

from pydantic import Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.assembly.kinds.services import service_config
from ha_rag.interfaces import Generator
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable, Seconds, ServiceTable

GENERATORS: KindRegistry[[Settings], Generator] = KindRegistry(
    ComponentType.GENERATOR, default=[{"name": "extractive", "kind": "extractive"}]
)


class OpenAIGeneratorTable(ServiceTable):
    """Chat completions from an OpenAI-compatible service."""

    timeout_s: Seconds = Field(default=8.0, description="The longest a call may take, in seconds.")


@GENERATORS.register("openai", OpenAIGeneratorTable)
def _openai(table: OpenAIGeneratorTable, settings: Settings) -> Generator:
    from ha_rag.components.generators.openai import OpenAIGenerator

    return OpenAIGenerator(service_config(settings, ComponentType.GENERATOR, table), model=table.model)


class ExtractiveGeneratorTable(ComponentTable):
    """Quotes the best sentences of the passages, with citations; needs no model."""


@GENERATORS.register("extractive", ExtractiveGeneratorTable)
def _extractive(_: ExtractiveGeneratorTable, __: Settings) -> Generator:
    from ha_rag.components.generators.extractive import ExtractiveGenerator

    return ExtractiveGenerator()
