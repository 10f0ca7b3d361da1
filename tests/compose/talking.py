"""What a user of the stack says to its gateway, and hears."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from tests.compose.stack import Stack

Met = TypeVar("Met")
CIRCUIT = "embedder.primary"
QUESTION = "How does a circuit recover?"


def call(
    stack: Stack, path: str, body: dict[str, Any] | None = None, trusted: ssl.SSLContext | None = None
) -> tuple[int, bytes]:
    """One request at the gateway: its status and body; 0 where nobody listens yet."""
    data = None if body is None else json.dumps(body).encode()
    url = stack.url if trusted is None else stack.url.replace("http://127.0.0.1", "https://localhost")
    request = urllib.request.Request(url + path, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=40, context=trusted) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()


def ask(stack: Stack, question: str = QUESTION, trusted: ssl.SSLContext | None = None) -> dict[str, Any]:
    status, body = call(stack, "/v1/query", {"question": question}, trusted)
    assert status == 200, body
    return dict(json.loads(body))


def replicas(stack: Stack) -> list[str]:
    """Those that the dashboard shows as living."""
    status, body = call(stack, "/v1/fleet")
    assert status == 200, body
    return [replica["name"] for replica in json.loads(body)["replicas"]]


def until(condition: Callable[[], Met], within_s: float, what: str) -> Met:
    """Waits for it to be true, and gives what it was."""
    end_s = time.monotonic() + within_s
    while not (met := condition()):
        assert time.monotonic() < end_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.1)
    return met


def states(stack: Stack) -> set[str]:
    """Of the circuit, as each replica tells it."""
    return {json.loads(circuit)["state"] for circuit in stack.each("rag", f"/v1/circuits/{CIRCUIT}")}
