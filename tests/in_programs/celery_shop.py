"""A Celery application whose registry nobody enters: each worker joins at its first call, in every kind of pool."""

from __future__ import annotations

import os
from contextlib import suppress

from celery import Celery

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from tests import patient_replicas

patient_replicas.in_this_program()
app = Celery("shop", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
circuits = CircuitRegistry.connect(os.environ["REDIS_URL"], namespace="shop")
payments = circuits.breaker("payments", CircuitPolicy(min_samples=3, recovery_timeout_s=60.0))


def down() -> None:
    raise OSError("down")


@app.task(name="call")
def call(fails: bool) -> str:
    """Calls once, and returns the state it left."""
    with suppress(OSError, CircuitOpenError):
        payments.call_sync(down if fails else str)
    return str(payments.state)
