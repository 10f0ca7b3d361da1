"""The values that a replica's metrics read at each scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ha_rag.assembly.caches import Caches
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.http.service import Service
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.telemetry.feedback import Feedback
from ha_rag.telemetry.metrics import Gauges

NO_CACHES = Caches()
_LABELS = {"restore": "teach"}
"""Labels that are kept from 0.1.0, since people's queries name them."""


def gauges(
    circuits: CircuitRegistry, service: Service, caches: Caches = NO_CACHES, feedback: Feedback | None = None
) -> Gauges:
    """The gauges of a replica; reading them is cheap and never blocks. Call it within the replica's event loop."""
    loop = asyncio.get_running_loop()
    return Gauges(
        circuits=circuits.snapshot,
        shared_state=lambda: circuits.shared_state,
        heard_ago_s=lambda: circuits.heard_ago_s,
        at_work=service.in_flight,
        arriving=service.receiving,
        tasks=lambda: len(asyncio.all_tasks(loop)),
        max_concurrent=service.limits.max_concurrent,
        commands=lambda: _commands(circuits),
        refused=lambda: _refused(circuits),
        cached=caches.counts,
        satisfaction=lambda: feedback.rows if feedback else (),
        experiment=lambda: service.experiment.report() if service.experiment else None,
    )


def _refused(circuits: CircuitRegistry) -> Iterator[tuple[str, int]]:
    ledger = circuits.ledger
    if ledger is not None:
        yield from list(ledger.refused_values.counts.items())


def _commands(circuits: CircuitRegistry) -> Iterator[tuple[str, str, int]]:
    ledger = circuits.ledger
    if isinstance(ledger, RedisLedger):
        yield from ((_LABELS.get(verb, verb), ended, number) for (verb, ended), number in list(ledger.sent.items()))
