"""FallbackStrategy: the tiers of each component type, and the order in which they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import TypeVar

from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Embedder, Generator, Reranker, Retriever
from ha_rag.messages import ComponentType
from ha_rag.strategy.guard import BreakerSource
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.pipeline import Pipeline
from ha_rag.strategy.quality import Choose, QualityTable
from ha_rag.strategy.reranking import candidates_of
from ha_rag.strategy.tier import Tier

C = TypeVar("C")

POSITIONS = ("primary", "secondary", "tertiary")
_METHOD = {
    ComponentType.EMBEDDER: "embed",
    ComponentType.RETRIEVER: "retrieve",
    ComponentType.RERANKER: "rerank",
    ComponentType.GENERATOR: "generate",
}
AnyTier = Tier[Embedder] | Tier[Retriever] | Tier[Reranker] | Tier[Generator]


class FallbackStrategy:
    """Maps each ComponentType to its tiers, in order of preference. Immutable; circuits are created by `guarded`.

    `embedders`, `retrievers`, `rerankers`, `generators`: components, or `Tier`s to set a name, a timeout or a policy. A
    plain component is named by its `name` attribute, or by its position: primary, secondary, tertiary, tier4 ...
    Each list ends in a last resort that needs no circuit and cannot fail: the zero vector ("zero", with the first
    embedder's dimension), no passages ("none"), and a plain sentence that lists the passages ("plain"). Rerankers are
    optional: where none is listed nothing is reranked, and where none can, the retriever's order stays ("none").

    `quality`: measured figures. `choose`: "order" calls the tiers as listed; "quality" first calls the best measured
    plan whose circuits admit it and that fits in the time left, in list order while there are no figures. None: by
    quality if there are figures, else in order.

    `fallback_chains`: ComponentType -> its tiers. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        embedders: Sequence[Embedder | Tier[Embedder]] = (),
        retrievers: Sequence[Retriever | Tier[Retriever]] = (),
        generators: Sequence[Generator | Tier[Generator]] = (),
        rerankers: Sequence[Reranker | Tier[Reranker]] = (),
        quality: QualityTable | None = None,
        choose: Choose | None = None,
    ) -> None:
        if choose not in {None, "order", "quality"}:
            raise ConfigurationError(f"choose = {choose!r}: must be 'order' or 'quality'")
        self.embedders = _tiers(ComponentType.EMBEDDER, embedders)
        self.retrievers = _tiers(ComponentType.RETRIEVER, retrievers)
        self.rerankers = _tiers(ComponentType.RERANKER, rerankers)
        self.generators = _tiers(ComponentType.GENERATOR, generators)
        self.quality = quality
        self.by_quality = choose == "quality" or (choose is None and quality is not None)

    @property
    def fallback_chains(self) -> Mapping[ComponentType, tuple[AnyTier, ...]]:
        """ComponentType -> its tiers, in order of preference."""
        return MappingProxyType(
            {
                ComponentType.EMBEDDER: self.embedders,
                ComponentType.RETRIEVER: self.retrievers,
                ComponentType.RERANKER: self.rerankers,
                ComponentType.GENERATOR: self.generators,
            }
        )

    def guarded(self, circuits: BreakerSource, observer: PipelineObserver = NO_OBSERVER) -> Pipeline:
        """The runnable pipeline: the chains with their circuits. `observer` is called for each stage."""
        chains = (self.embedders, self.retrievers, self.rerankers, self.generators)
        return Pipeline.of(*chains, circuits, self.quality, self.by_quality, observer)


def _tiers(kind: ComponentType, given: Sequence[C | Tier[C]]) -> tuple[Tier[C], ...]:
    """The tiers of one type, each with a unique name."""
    tiers: list[Tier[C]] = []
    taken = {tier.name for tier in given if isinstance(tier, Tier)} | {NAMES[kind]}
    for item, place in zip(given, count(1), strict=False):
        tier = item if isinstance(item, Tier) else Tier(_name(item, place, taken), item)
        _check(kind, tier, tiers)
        taken.add(tier.name)
        tiers.append(tier)
    return tuple(tiers)


def _name(component: object, place: int, taken: set[str]) -> str:
    """The component's own name, unless another tier has it; else one made from its position."""
    own = getattr(component, "name", None)
    if isinstance(own, str) and own not in taken:
        return own
    return POSITIONS[place - 1] if place <= len(POSITIONS) else f"tier{place}"


def _check(kind: ComponentType, tier: Tier[C], before: Sequence[Tier[C]]) -> None:
    if tier.name == NAMES[kind]:
        raise ConfigurationError(f"{kind} name = {tier.name!r}: reserved for the last resort; choose another name")
    if any(tier.name == other.name for other in before):
        raise ConfigurationError(f"{kind} name = {tier.name!r}: used twice; every tier of a type needs a unique name")
    if kind is ComponentType.EMBEDDER and not _is_width(getattr(tier.component, "dimension", None)):
        raise ConfigurationError(
            f"{kind} {tier.name!r}: `dimension` must be the number of dimensions of its vectors, 1 or more"
        )
    if kind is ComponentType.RERANKER and not _is_width(candidates := candidates_of(tier.component)):
        raise ConfigurationError(f"{kind} {tier.name!r}: `candidates` = {candidates!r}: must be a whole number above 0")
    method = _METHOD[kind]
    if not callable(getattr(tier.component, method, None)):
        raise ConfigurationError(f"{kind} {tier.name!r}: {type(tier.component).__name__} has no method `{method}`")


def _is_width(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
