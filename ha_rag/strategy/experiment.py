"""Experiment: which of two arms answers a question, the same for the same person on every replica.

An arm is the tiers to call first. Each arm draws a number for a person, by a hash of the experiment's name, the arm's
and what names the person, and the arm whose number is the least for its weight answers. So replicas agree without
speaking to one another, other experiments draw independently, and a greater weight moves people into its arm only.

Source: weighted rendezvous hashing: J. Schindelhauer, G. Schomaker, "Weighted distributed hash tables" (SPAA 2005),
section 3 (the logarithmic method).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ha_rag.errors import ConfigurationError
from ha_rag.messages import LAST_RESORTS, AssignedArm, ComponentType
from ha_rag.strategy.chain import Chain
from ha_rag.strategy.tier import C, GuardedTier

WITHOUT = (ComponentType.EMBEDDER, ComponentType.RERANKER)
"""Stages that an arm may do without: it then searches by words alone, or does not rerank."""

_BITS = 52


@dataclass(frozen=True, slots=True)
class Arm:
    """One implementation. `firsts`: stage -> the tier to call first; other stages are as without an experiment.

    "zero" as the embedder: search by words alone; "none" as the reranker: no reranking. `weight`: its share is this
    divided by the sum of both.
    """

    name: str
    weight: int = 1
    firsts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Experiment:
    """A split of questions. The first arm is what the other is compared with.

    `orders`: stage -> the names of its tiers, as listed. `by_quality`: whether measured figures decide the order of
    stages for which an arm names no tier. `ended`: the arm that an operator chose to answer all questions from now on;
    "" while the split lasts. Belongs to one event loop. Raises ConfigurationError.
    """

    name: str
    arms: Sequence[Arm]
    orders: Mapping[str, Sequence[str]]
    by_quality: bool = False
    ended: str = ""
    differing: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        for arm in self.arms:
            for stage, tier in arm.firsts.items():
                known = [*self.orders.get(stage, ()), *(LAST_RESORTS[kind] for kind in WITHOUT if kind == stage)]
                if tier not in known:
                    raise ConfigurationError(f"arm {arm.name!r}: {stage} = {tier!r}: must be one of {', '.join(known)}")
        one, other = (self._firsts(arm) for arm in self.arms)
        self.differing = tuple(stage for stage in one if one[stage] != other[stage])
        if not self.differing:
            raise ConfigurationError("both arms call the same tiers in the same order; say what one calls first")

    def _firsts(self, arm: Arm) -> dict[str, str | None]:
        """Stage -> the tier that this arm calls first; None for the one with the best figures."""
        usual = {stage: None if self.by_quality else next(iter(names), None) for stage, names in self.orders.items()}
        return {**usual, **arm.firsts}

    def index_of(self, arm: str) -> int | None:
        """The place of the arm with this name; None if there is none."""
        return next((n for n, known in enumerate(self.arms) if known.name == arm), None)

    @property
    def digest(self) -> str:
        """Identifies what is compared, apart from the weights: 8 hexadecimal digits."""
        compared = [[arm.name, self._firsts(arm)] for arm in self.arms]  # counts go by the order of the arms
        tiers = {stage: list(names) for stage, names in self.orders.items()}
        return hashlib.sha256(json.dumps([compared, tiers], sort_keys=True).encode()).hexdigest()[:8]

    @property
    def weights(self) -> tuple[int, ...]:
        """The arms' weights, divided by what divides them all."""
        common = math.gcd(*(arm.weight for arm in self.arms))
        return tuple(arm.weight // common for arm in self.arms)

    def assign(self, asker: str) -> tuple[AssignedArm, Mapping[str, str]]:
        """The arm of a question, and the tiers it calls first. `asker`: what names who asks; "" if nothing does."""
        sticky, who = bool(asker), asker.encode("utf-8", "surrogatepass") or os.urandom(16)
        ended = next((arm for arm in self.arms if arm.name == self.ended), None)
        arm = ended or min(self.arms, key=lambda arm: -math.log(self._drawn(arm.name, who)) / arm.weight)
        unit = int.from_bytes(self._hash("unit", who, 4))
        return AssignedArm(self.name, arm.name, sticky, counted=ended is None, unit=unit), arm.firsts

    def as_assigned(self, degraded: Collection[str]) -> bool:
        """Whether none of the stages that the arms differ in is among the `degraded` ones of an answer."""
        return not any(stage in degraded for stage in self.differing)

    def _drawn(self, arm: str, who: bytes) -> float:
        """A number above 0 and below 1 that is as good as random, and always the same."""
        drawn = int.from_bytes(self._hash(f"arm {arm}", who, 8)) >> (64 - _BITS)
        return math.ldexp(drawn + 0.5, -_BITS)

    def _hash(self, what: str, who: bytes, size: int) -> bytes:
        made = hashlib.blake2b(f"{self.name} {what}\n".encode(), digest_size=size)
        made.update(who)
        return made.digest()


def with_first(chain: Chain[C], chosen: Sequence[GuardedTier[C]] | None, first: str | None) -> Sequence[GuardedTier[C]]:
    """The tiers to call, the one called `first` before the others; none at all if that is the chain's last resort.

    `chosen`: the tiers without an experiment; None for all in list order. `first`: None if no arm names one.
    """
    tiers = chain.tiers if chosen is None else chosen
    if first is None:
        return tiers
    if first == chain.last_name:
        return []
    named = [tier for tier in chain.tiers if tier.name == first]
    return [*named, *(tier for tier in tiers if tier.name != first)]
