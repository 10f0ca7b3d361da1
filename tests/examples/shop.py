"""A payment service that counts its calls, and applications that call it, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]


class Payments:
    """`status`: the status of every reply. `calls`: number of calls received."""

    def __init__(self) -> None:
        self.status, self.calls = 200, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.calls += 1
                self.send_response(service.status)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"paid")

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running(*words: str, redis: str, payments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs `python -m words` with that Redis and that payment service; stops it with SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "REDIS_URL": redis, "PAYMENTS_URL": payments},
    )  # fmt: skip
    drain = threading.Thread(target=process.communicate, daemon=True)
    drain.start()
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        drain.join(PATIENCE_S)


def post(url: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body; status 0 if the connection is refused."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=PATIENCE_S) as reply:
            return reply.status, dict(reply.headers), reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()
    except OSError:
        return 0, {}, ""


def charged(body: str) -> str:
    return str(json.loads(body)["charged"])
