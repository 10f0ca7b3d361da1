"""The list of the documents in the index of a configuration, for commands that run beside a fleet or without one."""

from __future__ import annotations

from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers
from ha_rag.index.listing import DocumentList
from ha_rag.messages import Space
from ha_rag.settings import Settings


async def document_list(settings: Settings) -> DocumentList:
    """The documents of the index in `settings`, with the spaces of its embedders. Raises ConfigurationError."""
    return DocumentList(settings.index_folder, await _spaces(settings))


async def _spaces(settings: Settings) -> list[Space]:
    tiers = embedder_tiers(settings)
    for tier in tiers:
        await closed(tier.component)
    return [tier.component.space for tier in tiers]
