"""Tiers in order, one deadline, and a record of why each was passed over."""

from ha_rag.strategy.quality import QualityTable
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.strategy import FallbackStrategy
from ha_rag.strategy.tier import Tier

__all__ = ["ComponentStatus", "FallbackStrategy", "QualityTable", "Tier"]
