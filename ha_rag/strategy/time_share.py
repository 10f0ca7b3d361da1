"""TimeShare: each tier's time limit, given what later tiers and stages need."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.deadline import Deadline
from ha_rag.strategy.tier import C, GuardedTier

MAX_RESERVED_SHARE = 0.5
"""At most this share of the remaining time is reserved for later tiers."""


@dataclass(slots=True, eq=False)
class TimeShare:
    """How one chain spends a question's time. `reserved_s`: seconds reserved for later tiers and stages."""

    deadline: Deadline
    reserved_s: float

    def release_share(self, tier: GuardedTier[C]) -> None:
        """Ends the reservation for a tier whose turn it is."""
        self.reserved_s -= tier.needs_s

    def limit_s(self, tier: GuardedTier[C]) -> float:
        """The tier's time limit in seconds: its timeout, or less if later tiers need the remaining time."""
        left_s = self.deadline.left_s()
        return min(tier.timeout_s, left_s - min(self.reserved_s, MAX_RESERVED_SHARE * left_s))
