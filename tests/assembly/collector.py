"""A collector that accepts spans over OTLP/HTTP on a local port, in its own threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Received:
    """One span. Ids in hex; `status`: "unset", "ok" or "error"."""

    name: str
    id: str
    parent: str
    trace: str
    kind: int
    status: str
    told: dict[str, Any]
    started_ns: int
    ended_ns: int


@dataclass
class Collector:
    """What was received, and the address to send it to. `hang`: while set to an event, nothing is answered."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    spans: list[Received] = field(default_factory=list)
    url: str = ""
    hang: threading.Event | None = None
    came: threading.Event = field(default_factory=threading.Event)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        self.came.set()
        if self.hang is not None:
            self.hang.wait(PATIENCE_S)
        self.headers.append(headers)
        self.bodies.append(body)
        for told in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_values(told.resource.attributes))
            self.spans += [_received(span) for scope in told.scope_spans for span in scope.spans]

    def named(self, name: str) -> Received:
        """The one span of that name."""
        (found,) = (span for span in self.spans if span.name == name)
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take({name.lower(): value for name, value in self.headers.items()} | {"path": self.path}, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Whoever sent spans did not wait for the answer."""

    with Server(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            if collector.hang is not None:
                collector.hang.set()
            server.shutdown()
            thread.join()


def _received(span: Any) -> Received:
    return Received(
        name=span.name,
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        trace=span.trace_id.hex(),
        kind=span.kind,
        status=("unset", "ok", "error")[span.status.code],
        told=_values(span.attributes),
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(one) for one in found.values] if kind == "array_value" else found
