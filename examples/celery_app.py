"""A Celery application that uses only the circuit: a task waits out the rest of an open circuit instead of failing.

REDIS_URL=redis://localhost:6379/0 PAYMENTS_URL=http://localhost:9000 celery --app examples.celery_app worker
REDIS_URL=redis://localhost:6379/0 celery --app examples.celery_app call charge --args '[7]'
"""

from __future__ import annotations

import os
import urllib.request
from contextlib import ExitStack
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://localhost:9000")
POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)

app = Celery("shop", broker=REDIS_URL, backend=REDIS_URL)
circuits = CircuitRegistry.connect(REDIS_URL, namespace="shop")
payments = circuits.breaker("payments", POLICY, timeout_s=2.0)
leaving = ExitStack()


@worker_process_init.connect
def join(**_: Any) -> None:
    """Each worker process joins for itself: the link to Redis is a thread, and none survives a fork."""
    leaving.enter_context(circuits)


@worker_process_shutdown.connect
def leave(**_: Any) -> None:
    """What was counted is told before the process ends."""
    leaving.close()


def send(order: int) -> str:
    """The call that is guarded."""
    request = urllib.request.Request(f"{PAYMENTS_URL}/charge/{order}", method="POST")
    with urllib.request.urlopen(request, timeout=2) as reply:
        return bytes(reply.read()).decode()


@app.task(name="charge", bind=True, max_retries=None)
def charge(self: Any, order: int) -> str:
    """Charges an order. While the circuit is open nothing is sent, and the task comes back when its rest is over."""
    try:
        return payments.call_sync(send, order)
    except CircuitOpenError as refused:
        raise self.retry(countdown=refused.retry_after_s) from refused
    except OSError as error:
        raise self.retry(countdown=1, exc=error) from error
