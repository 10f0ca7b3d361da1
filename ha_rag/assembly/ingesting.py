"""The ingest process: respects the fleet's open circuits, but reports no outcomes to them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from ha_rag.assembly.documents import permitted_by
from ha_rag.assembly.replica import closed, registry_of
from ha_rag.assembly.tiers import embedder_tiers
from ha_rag.index.index import Index
from ha_rag.index.ingest import ingest
from ha_rag.index.report import IngestReport, Progress
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.threads import size_this_process


async def ingest_into(
    settings: Settings, paths: Sequence[Path], progress: Progress, *, mirror: bool = False
) -> IngestReport:
    """Ingests the documents at `paths` into the index in `settings`. Raises what `ha_rag.index.ingest` raises."""
    size_this_process(asyncio.get_running_loop())
    tiers = embedder_tiers(settings)
    circuits = registry_of(settings, replica=f"ingest-{os.getpid()}")
    async with AsyncExitStack() as stack:
        index = stack.enter_context(Index(settings.index_folder))
        for tier in tiers:
            circuits.breaker(f"{ComponentType.EMBEDDER}.{tier.name}", tier.policy, scope=tier.scope or "replica")
            stack.push_async_callback(closed, tier.component)
        await stack.enter_async_context(circuits)
        embedders = {tier.name: tier.component for tier in tiers}
        permitted = permitted_by(circuits)
        return await ingest(paths, index, embedders, progress=progress, permitted=permitted, mirror=mirror)
