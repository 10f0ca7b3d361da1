"""How long each tier of a chain may take, given what the tiers and stages after it need."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.deadline import Deadline
from ha_rag.strategy.tier import C, GuardedTier

MOST_RESERVED = 0.5
"""At most this share of what is left is kept for later tiers, however many there are."""


@dataclass(slots=True, eq=False)
class TimeShare:
    """One question's time as one chain spends it. `reserved_s`: seconds kept for what comes later."""

    deadline: Deadline
    reserved_s: float

    def turn_of(self, tier: GuardedTier[C]) -> None:
        """It is this tier's turn: nothing is kept for it any longer."""
        self.reserved_s -= tier.needs_s

    def limit_s(self, tier: GuardedTier[C]) -> float:
        """Seconds that the tier may take: its timeout, or less where what is left must serve later tiers too."""
        left_s = self.deadline.left_s()
        return min(tier.timeout_s, left_s - min(self.reserved_s, MOST_RESERVED * left_s))
