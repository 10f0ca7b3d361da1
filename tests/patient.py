"""Registries and observers that wait for Redis: for tests that are not about its time limits.

A replica waits 0.25 s for a reply, and then decides alone. On a busy machine a reply may take longer, and a test whose
one command is that late would fail although nothing is wrong.
"""

from __future__ import annotations

from typing import Any

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from tests.patient_replicas import REPLY_S


def patient_registry(url: str, replica: str) -> CircuitRegistry:
    """A registry of the namespace `ha_rag`; enter it."""
    return CircuitRegistry(lambda: RedisLedger(connect(url, timeout_s=REPLY_S)), replica=replica)


def patient_observer(url: str, **options: Any) -> FleetObserver:
    """As `FleetObserver.connect`."""
    return FleetObserver.connect(url, timeout_s=REPLY_S, **options)
