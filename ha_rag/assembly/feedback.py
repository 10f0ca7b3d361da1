"""The feedback of a replica's fleet, counted in Redis, or in this process without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ha_rag.assembly.experiment import RunningExperiment, experiment_of, split_of
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.ledger.store.connection import Client, close, connect
from ha_rag.ledger.store.feedback import FeedbackStore, MemoryFeedbackStore, RedisFeedbackStore
from ha_rag.ledger.store.refused_values import Source
from ha_rag.settings import Settings
from ha_rag.strategy import FallbackStrategy
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.recall import CACHED
from ha_rag.telemetry.answer_ids import AnswerIds
from ha_rag.telemetry.feedback import Feedback

CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFeedback:
    """The feedback, the ids of answers that it knows, and the experiment whose answers are rated, if there is one.

    `client`: None without Redis. Close it with `aclose`.
    """

    feedback: Feedback
    ids: AnswerIds
    experiment: RunningExperiment | None = None
    client: Client | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps up with the fleet for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.feedback.running())
            if self.experiment is not None:
                await stack.enter_async_context(self.experiment.counter.running())
            yield

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
    split = split_of(settings, strategy)
    named = ("", ()) if split is None else (f"{split.name}:{split.digest}", [arm.name for arm in split.arms])
    ids = AnswerIds(tiers, None, *named)
    url = settings.redis_url
    client = None if url is None else connect(url.reveal(), max_connections=CONNECTIONS)

    def refused(source: Source) -> Callable[[str], None]:
        def note(why: str) -> None:
            if circuits.ledger is not None:
                circuits.ledger.refused_values.note(source, why)

        return note

    experiment = experiment_of(settings, split, client, refused("experiment"))
    store: FeedbackStore = MemoryFeedbackStore()
    if client is not None:
        store = RedisFeedbackStore(client, settings.namespace, refused("feedback"))
    feedback = Feedback(store, ids, rated=experiment.counter.rated if experiment else None)
    return FleetFeedback(feedback=feedback, ids=ids, experiment=experiment, client=client)
