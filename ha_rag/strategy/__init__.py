"""Fallback chains: tiers in order, one deadline, and a record of every attempt."""

from ha_rag.strategy.quality import QualityTable
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.strategy import FallbackStrategy
from ha_rag.strategy.tier import Tier

__all__ = ["ComponentStatus", "FallbackStrategy", "QualityTable", "Tier"]
