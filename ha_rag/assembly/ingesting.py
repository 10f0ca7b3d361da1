"""The ingest process: respects the fleet's open circuits, but reports no outcomes to them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from ha_rag.assembly.documents import permitted_by
from ha_rag.assembly.replica import closed, registry_of
from ha_rag.assembly.tiers import embedder_tiers
from ha_rag.index.index import Index
from ha_rag.index.ingest import ingest
from ha_rag.index.reading.files import ReadingLimits
from ha_rag.index.report import Announce, IngestReport, Kept, Progress
from ha_rag.index.taking_out import take_out_confirmed
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.threads import size_this_process


async def ingest_into(
    settings: Settings,
    paths: Sequence[Path],
    progress: Progress,
    *,
    mirror: bool = False,
    even_if_empty: bool = False,
    samples: Sequence[Path] = (),
    announce: Announce = lambda reembedding: None,
) -> IngestReport:
    """Ingests the documents at `paths` into the index in `settings`. Raises what `ha_rag.index.ingest` raises.

    `samples`: of the index, unless the settings switch them off.
    """
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
        limits = ReadingLimits(encoding=settings.index.encoding)
        return await ingest(
            paths,
            index,
            embedders,
            progress=progress,
            announce=announce,
            permitted=permitted,
            limits=limits,
            mirror=mirror,
            even_if_empty=even_if_empty,
            samples=samples if settings.index.samples else (),
        )


def take_out_of(settings: Settings, report: IngestReport, confirmed: Sequence[Kept]) -> IngestReport:
    """`report`, after the documents of these places, which were in doubt, have been taken out, too.

    Raises IndexBusyError, IndexReadOnlyError and IndexStoreError.
    """
    with Index(settings.index_folder) as index, index.writer() as writer:
        taken = tuple(one for kept in confirmed for one in take_out_confirmed(writer, kept))
    left = tuple(kept for kept in report.kept if kept not in confirmed)
    return replace(report, taken_out=(*report.taken_out, *taken), kept=left)
