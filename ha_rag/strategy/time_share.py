"""TimeShare: each tier's time limit, given what later tiers and stages need."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.deadline import Deadline
from ha_rag.strategy.tier import C, GuardedTier

MAX_RESERVED_SHARE = 0.5
"""At most this share of the remaining time is reserved for later tiers."""


@dataclass(slots=True, eq=False)
class TimeShare:
    """How one chain spends a question's time. `reserved_s`: seconds reserved for later tiers and stages.

    `optional`: a chain that the question can do without gets only what is left after all of that is reserved, and no
    time if that is less than its tier needs.
    """

    deadline: Deadline
    reserved_s: float
    optional: bool = False

    def release_share(self, tier: GuardedTier[C]) -> None:
        """Ends the reservation for a tier whose turn it is."""
        self.reserved_s -= tier.needs_s

    def limit_s(self, tier: GuardedTier[C]) -> float:
        """The tier's time limit in seconds: its timeout, or less if later tiers need the remaining time; 0 for none."""
        left_s = self.deadline.left_s()
        if self.optional:
            spare_s = left_s - self.reserved_s
            return min(tier.timeout_s, spare_s) if spare_s >= tier.needs_s else 0.0
        return min(tier.timeout_s, left_s - min(self.reserved_s, MAX_RESERVED_SHARE * left_s))
