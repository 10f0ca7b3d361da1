"""A Celery application that uses only the circuit: a task waits while the circuit is open instead of failing.

REDIS_URL=redis://localhost:6379/0 PAYMENTS_URL=http://localhost:9000 celery --app examples.celery_app worker
REDIS_URL=redis://localhost:6379/0 celery --app examples.celery_app call charge --args '[7]'
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://localhost:9000")
POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)
REFUSED = (400, 404, 409, 422)  # says that this order is wrong; the payment service works

app = Celery("shop", broker=REDIS_URL, backend=REDIS_URL)
circuits = CircuitRegistry.connect(REDIS_URL, namespace="shop")
payments = circuits.breaker("payments", POLICY, timeout_s=2.0)
exit_stack = ExitStack()


@worker_process_init.connect
def join(**_: Any) -> None:
    """Each worker process enters the registry itself, because its background thread would not survive a fork."""
    exit_stack.enter_context(circuits)


@worker_process_shutdown.connect
def leave(**_: Any) -> None:
    """Reports the remaining counts before the process exits."""
    exit_stack.close()


def send(order: int) -> str:
    """The guarded call."""
    request = urllib.request.Request(f"{PAYMENTS_URL}/charge/{order}", method="POST")
    with urllib.request.urlopen(request, timeout=2) as reply:
        return bytes(reply.read()).decode()


@app.task(name="charge", bind=True, max_retries=None)
def charge(self: Any, order: int) -> str:
    """Charges an order. While the circuit is open nothing is sent, and the task is retried when it may close.

    An order that the payment service refuses (404, 422, ...) fails at once; the circuit does not count it.
    """
    try:
        return payments.call_sync(send, order)
    except CircuitOpenError as refused:
        raise self.retry(countdown=refused.retry_after_s) from refused
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in REFUSED:
            raise ValueError(f"payments refused order {order}: HTTP {error.code}") from None
        raise self.retry(countdown=1) from None
    except OSError as error:
        raise self.retry(countdown=1, exc=error) from error
