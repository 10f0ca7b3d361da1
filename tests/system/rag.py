"""A complete RAG of scripted components and scripted circuits."""

from __future__ import annotations

from typing import Any

from ha_rag.events import Event
from ha_rag.strategy import FallbackStrategy, QualityTable, Tier
from ha_rag.system import HighAvailabilityRAG
from tests.strategy.scripted import Scripted, ScriptedCircuits
from tests.strategy.virtual_time import LoopClock


class Bench:
    """`rag` with two tiers per stage by default and no reranker, its `circuits`, and the `events` it announced."""

    def __init__(
        self,
        embedders: list[Scripted] | None = None,
        retrievers: list[Scripted] | None = None,
        generators: list[Scripted] | None = None,
        *,
        rerankers: list[Scripted] | None = None,
        quality: QualityTable | None = None,
        timeout_s: float = 1.0,
        **options: Any,
    ) -> None:
        self.circuits = ScriptedCircuits()
        self.events: list[Event] = []

        def tiers(components: list[Scripted] | None) -> list[Tier[Scripted]]:
            listed = [Scripted(), Scripted()] if components is None else components
            return [Tier(f"t{n}", component, timeout_s) for n, component in enumerate(listed, 1)]

        self.embedders, self.retrievers, self.generators = tiers(embedders), tiers(retrievers), tiers(generators)
        self.rerankers = tiers(rerankers or [])
        strategy = FallbackStrategy(
            embedders=self.embedders,
            retrievers=self.retrievers,
            rerankers=self.rerankers,
            generators=self.generators,
            quality=quality,
        )
        options = dict[str, Any](sinks=[self.events.append], clock=LoopClock()) | options
        self.rag = HighAvailabilityRAG(strategy, self.circuits, **options)
