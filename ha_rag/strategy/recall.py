"""Recall: what a chain may serve from a cache instead of, or after, a call to a tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ha_rag.messages import Attempt, ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.tier import C, GuardedTier

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

CACHED = "cached"
"""What the caches are called among the tiers: attempts name `embedder.cached` and `generator.cached`."""


@dataclass(frozen=True, slots=True)
class Recalled(Generic[T_co]):
    """A reply from a cache. `by`: the tier that serves it in answers. `attempt`: how the answer records it."""

    reply: T_co
    by: str
    attempt: Attempt


class Recall(Protocol[T_co]):
    """One stage's access to a cache, for one question. Neither method raises, nor waits longer than the cache's limit.

    A chain calls `before` for each tier whose turn it is and `after` for each that did not answer, in that order.
    """

    async def before(self, tier: GuardedTier[C]) -> Recalled[T_co] | None:
        """A reply that makes calling this tier unnecessary."""
        ...

    async def after(self, tier: GuardedTier[C]) -> Recalled[T_co] | None:
        """A reply to serve rather than to call the tiers after this one."""
        ...


def recalled(stage: ComponentType, reply: T, by: str, took_s: float) -> Recalled[T]:
    """A reply that a cache had. It has no circuit, so its attempt has no state."""
    return Recalled(reply, by, Attempt(f"{stage}.{CACHED}", Outcome.OK, round(1000 * took_s, 3), state=""))


def is_service(tier: GuardedTier[C]) -> bool:
    """Whether a tier calls a service, rather than something inside this process."""
    return not tier.in_process
