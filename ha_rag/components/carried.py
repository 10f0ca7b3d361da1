"""Headers that are propagated from an incoming request to the services that are called for it.

The HTTP server stores the trace context and the request id here, the service client sends them, and the log reads the
request id. A context variable belongs to one task and the tasks it starts, so requests never see each other's headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from ha_rag.components.service_config import NO_HEADERS, is_clean_header

REQUEST_ID, TRACE_PARENT, TRACE_STATE = "x-request-id", "traceparent", "tracestate"
CARRIED_NAMES = frozenset({REQUEST_ID, TRACE_PARENT, TRACE_STATE})
_carried: ContextVar[Mapping[str, str]] = ContextVar("ha_rag_carried_headers", default=NO_HEADERS)


@contextmanager
def carrying(headers: Mapping[str, str]) -> Iterator[None]:
    """Within this block, calls to services carry those of `headers` that may be propagated."""
    kept = {name: value for name, value in headers.items() if _may_propagate(name, value)}
    token = _carried.set(kept)
    try:
        yield
    finally:
        _carried.reset(token)


def carried() -> Mapping[str, str]:
    """The headers that calls carry in this context; often none."""
    return _carried.get()


def request_id() -> str:
    """The id of the current request; empty outside of one."""
    return _carried.get().get(REQUEST_ID, "")


def trace_id() -> str:
    """The id of the current trace (W3C Trace Context); empty if there is none."""
    parts = _carried.get().get(TRACE_PARENT, "").split("-")
    return parts[1] if len(parts) == 4 else ""


def _may_propagate(name: str, value: str) -> bool:
    return name.lower() in CARRIED_NAMES and len(value) <= 512 and is_clean_header(name, value)
