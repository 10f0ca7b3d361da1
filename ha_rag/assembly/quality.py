"""QualityWatch: keeps a replica's figures those of the profile beside its index, without a restart.

All replicas that read an index see its profile, so storing it once tells all of them. One that is about another corpus,
other components or another version is said and not used: answers then carry the figures shipped with ha_rag.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ha_rag.errors import HaRagError
from ha_rag.index.index import Index
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.fitting import Present, misfits
from ha_rag.profiles.profile import ComponentMark, QualityProfile
from ha_rag.profiles.shipped import shipped_table
from ha_rag.profiles.stored import profile_file, stamp_of, stored_profile
from ha_rag.strategy.quality import Choose, QualityTable
from ha_rag.system import HighAvailabilityRAG
from ha_rag.version import version

log = logging.getLogger(__name__)

EVERY_S = 0.5

Seen = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class QualityNow:
    """What is known of the quality here. `problem`: why the stored profile is not used, or "" if it is or is absent."""

    table: QualityTable
    profile: QualityProfile | None = None
    problem: str = ""


def quality_of(index: Index, components: Mapping[str, ComponentMark]) -> QualityNow:
    """The figures of the profile beside the index if it is about it, else those shipped with ha_rag."""
    try:
        profile = stored_profile(index.folder)
        if profile is None:
            return QualityNow(shipped_table(components))
        corpus = CorpusVersion.of_index(index.folder)
    except (HaRagError, OSError) as error:
        return QualityNow(shipped_table(components), None, str(error))
    wrong = misfits(profile, Present(corpus, components, version()))
    if not wrong:
        return QualityNow(profile.table(), profile)
    place = profile_file(index.folder)
    problem = f"the profile {place} is not used: {'; '.join(wrong)}; run `ha-rag evaluate` again"
    return QualityNow(shipped_table(components), profile, problem)


@dataclass(slots=True, eq=False)
class QualityWatch:
    """Takes up the profile beside `index` into `rag`, and says what is used. Belongs to one event loop."""

    index: Index
    rag: HighAvailabilityRAG
    components: Mapping[str, ComponentMark]
    choose: Choose
    now: QualityNow = field(init=False)
    _seen: Seen | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._use(QualityNow(shipped_table(self.components)))

    def _use(self, now: QualityNow) -> None:
        self.now = now
        self.rag.use_quality(now.table)

    async def look(self) -> None:
        """Reads the profile if it, or the index, has changed."""
        seen = self._look()
        if seen != self._seen:
            self._use(await asyncio.to_thread(quality_of, self.index, self.components))
            self._seen = seen

    def _look(self) -> Seen:
        stamp = stamp_of(self.index.folder)
        if stamp is None or not self.index.loaded:
            return (stamp,)
        snapshot = self.index.snapshot
        return stamp, snapshot.identity, snapshot.generation, snapshot.history

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks now, and every half second while the block lasts."""
        await self.look()
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except Exception:
                log.exception("the profile of measured quality could not be looked at; this is tried again")

    def status(self) -> dict[str, Any]:
        """What is used and why, for /health. A memory read."""
        now, used = self.now, self.now.table.source == "profile"
        return {
            "choose": self.choose,
            "chosen_by": "quality" if used and self.choose == "quality" else "order",
            "source": now.table.source,
            "measured_on": now.table.measured_on,
            "measured_at": now.profile.measured_at if used and now.profile else None,
            "metric": now.table.metric,
            "problem": now.problem or None,
        }
