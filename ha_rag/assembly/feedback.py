"""The feedback of a replica's fleet, counted in Redis, or in this process without one."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.ledger.store.connection import Client, close, connect
from ha_rag.ledger.store.feedback import MemoryFeedbackStore, RedisFeedbackStore
from ha_rag.settings import Settings
from ha_rag.strategy import FallbackStrategy
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.recall import CACHED
from ha_rag.telemetry.answer_ids import AnswerIds
from ha_rag.telemetry.feedback import Feedback

CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFeedback:
    """The feedback, and the ids of answers that it knows. `client`: None without Redis. Close it with `aclose`."""

    feedback: Feedback
    ids: AnswerIds
    client: Client | None = None

    async def aclose(self) -> None:
        """Closes the connections."""
        if self.client is not None:
            await close(self.client)


def feedback_of(settings: Settings, circuits: CircuitRegistry, strategy: FallbackStrategy) -> FleetFeedback:
    """The feedback; nothing is sent yet. Call it within a running event loop."""
    tiers = {
        str(stage): (*(tier.name for tier in tiers), NAMES[stage], CACHED)
        for stage, tiers in strategy.fallback_chains.items()
    }
    ids = AnswerIds(tiers)
    if settings.redis_url is None:
        return FleetFeedback(feedback=Feedback(MemoryFeedbackStore(), ids), ids=ids)
    client = connect(settings.redis_url.reveal(), max_connections=CONNECTIONS)

    def refused(why: str) -> None:
        if circuits.ledger is not None:
            circuits.ledger.refused_values.note("feedback", why)

    store = RedisFeedbackStore(client, settings.namespace, refused)
    return FleetFeedback(feedback=Feedback(store, ids), ids=ids, client=client)
