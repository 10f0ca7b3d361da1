"""A Flask application that uses only the circuit, synchronously and from any thread.

    REDIS_URL=redis://localhost:6379/0 PAYMENTS_URL=http://localhost:9000 flask --app examples.flask_app run

`POST /charge/7` is 200; 502 when the payment service failed; 503 with Retry-After, at once, while its circuit is open.
If the payment service refuses this one order (404, 422, ...), its status is passed on and the circuit counts nothing.
If the server forks its workers after loading this file (gunicorn --preload), each worker joins at its first call.
"""

from __future__ import annotations

import atexit
import os
import urllib.error
import urllib.request
from contextlib import ExitStack

from flask import Flask, Response, abort

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

PAYMENTS_URL = os.environ.get("PAYMENTS_URL", "http://localhost:9000")
POLICY = CircuitPolicy(min_samples=5, failure_threshold=0.5, recovery_timeout_s=10.0)
REFUSED = (400, 404, 409, 422)  # says that this order is wrong; the payment service works

app = Flask(__name__)
exit_stack = ExitStack()
circuits = exit_stack.enter_context(CircuitRegistry.connect(os.environ.get("REDIS_URL"), namespace="shop"))
payments = circuits.breaker("payments", POLICY, timeout_s=2.0)
atexit.register(exit_stack.close)


def send(order: int) -> bytes:
    """The guarded call."""
    request = urllib.request.Request(f"{PAYMENTS_URL}/charge/{order}", method="POST")
    with urllib.request.urlopen(request, timeout=2) as reply:
        return bytes(reply.read())


@app.post("/charge/<int:order>")
def charge(order: int) -> dict[str, str]:
    """Charges an order."""
    try:
        return {"charged": payments.call_sync(send, order).decode()}
    except CircuitOpenError as refused:
        headers = {"Retry-After": str(round(refused.retry_after_s or 0) + 1)}
        abort(Response("payments are unavailable; nothing was charged", 503, headers))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in REFUSED:
            abort(error.code, f"payments refused order {order}")
        abort(502, "payments failed")
    except OSError:  # what urllib raises for a refused connection or a timeout
        abort(502, "payments failed")
