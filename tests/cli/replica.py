"""A server that answers as a replica, or a provider, would: what it was sent, and what it is told to reply."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass
class Replica:
    """`replies`: (method, path) -> (status, body). `seen`: (method, path, headers, body) of every request."""

    url: str = ""
    replies: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def replica() -> Iterator[Replica]:
    """A replica on a loopback port, on a thread of its own."""
    stand_in = Replica()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            stand_in.seen.append((self.command, self.path, headers, json.loads(content) if content else None))
            status, body = stand_in.replies.get(
                (self.command, self.path), (404, {"error": {"message": "nothing here"}})
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 -- the names that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
