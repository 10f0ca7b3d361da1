"""One shop as a Flask, a Django and an ASGI application. The servers fork or start several workers of it.

A worker calls once, to join. If each look at its state were a call, successes of the others could outweigh the failures
that open the circuit of one worker, and the fleet's would rightly stay closed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import Any

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry
from tests import patient_replicas

patient_replicas.in_this_program()
circuits = CircuitRegistry.connect(os.environ["REDIS_URL"], namespace="shop")
payments = circuits.breaker("payments", CircuitPolicy(min_samples=3, failure_threshold=0.3, recovery_timeout_s=60.0))
joined = set[int]()


def down() -> None:
    raise OSError("down")


def state() -> dict[str, Any]:
    if os.getpid() not in joined:
        joined.add(os.getpid())  # first: under gevent, other requests run while this one joins
        payments.call_sync(str)
    replicas = len(circuits.fleet_sync().replicas)
    return {"pid": os.getpid(), "state": payments.state, "shared": circuits.shared_state, "replicas": replicas}


def fail() -> dict[str, Any]:
    while payments.state == "closed":
        with suppress(OSError, CircuitOpenError):
            payments.call_sync(down)
    return {"state": payments.state}


def flask_app() -> Any:
    """Enters the registry as the file is loaded: with gunicorn --preload, before the workers are forked."""
    from flask import Flask

    ExitStack().enter_context(circuits)
    payments.call_sync(str)
    app = Flask("shop")
    app.get("/state")(state)
    app.get("/fail")(fail)
    return app


def django_app() -> Any:
    """Does not enter the registry."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    views = [path("state", lambda _: JsonResponse(state())), path("fail", lambda _: JsonResponse(fail()))]
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=tuple(views), SECRET_KEY="of a test")
    return get_wsgi_application()


async def asgi_app(scope: dict[str, Any], _: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Does not enter the registry; calls with `await`."""
    if scope["type"] != "http":
        return
    if os.getpid() not in joined:
        joined.add(os.getpid())
        await payments.call(str)
    if scope["path"] == "/fail":
        while payments.state == "closed":
            with suppress(OSError, CircuitOpenError):
                await payments.call(down)
    replicas = len((await circuits.fleet()).replicas)
    told = {"pid": os.getpid(), "state": payments.state, "shared": circuits.shared_state, "replicas": replicas}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
