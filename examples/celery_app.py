"""A Celery application that uses only the circuit: a task waits while the circuit is open instead of failing.

Each process of the worker, in any kind of pool, joins the others at its first call and leaves when it stops.

REDIS_URL=redis://localhost:6379/0 PAYMENTS_URL=http://localhost:9000 celery --app examples.celery_app worker
REDIS_URL=redis://localhost:6379/0 celery --app examples.celery_app call charge --args '[7]'
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any

from celery import Celery

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://localhost:9000")
POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)
REFUSED = (400, 404, 409, 422)  # says that this order is wrong; the payment service works

app = Celery("shop", broker=REDIS_URL, backend=REDIS_URL)
circuits = CircuitRegistry.connect(REDIS_URL, namespace="shop")
payments = circuits.breaker("payments", POLICY, timeout_s=2.0)


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
