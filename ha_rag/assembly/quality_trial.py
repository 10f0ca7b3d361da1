"""What `ha-rag check` says of the measured quality: which profile is used, or why none is."""

from __future__ import annotations

from ha_rag.assembly.marks import component_marks
from ha_rag.assembly.quality import quality_of
from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import embedder_tiers
from ha_rag.index.index import Index
from ha_rag.settings import Settings

MEND = "ha-rag evaluate DATASET, with questions about these documents"


async def try_quality(settings: Settings, index: Index) -> tuple[bool, str, str] | None:
    """Whether all is well, what was seen, and the remedy; None where there is no profile and none is asked for."""
    embedders = embedder_tiers(settings)
    try:
        now = quality_of(index, component_marks(settings, embedders))
    finally:
        for tier in embedders:
            await closed(tier.component)
    by_quality = settings.strategy.choose == "quality"
    if now.problem:
        return False, now.problem, MEND
    if now.profile is not None:
        use = "chooses the tiers" if by_quality else 'told in answers ([strategy] choose = "order")'
        text = (
            f"measured on {now.profile.dataset}, {now.profile.questions:,} questions, {now.profile.measured_at}: {use}"
        )
        return True, text, ""
    if by_quality:
        return False, '[strategy] choose = "quality", but nothing was measured on this index: list order is used', MEND
    return None
