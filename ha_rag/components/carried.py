"""Headers that travel with a question: from whoever asked us, to the services that we ask.

The street (http/) puts a trace's and a request's id here; the service client takes them along. A context variable
belongs to one task and what it starts (a probe that outlives its question, too), so questions never see each other's.
The log reads the request's id from here.
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
    """Within this block, calls to services carry those of `headers` that are meant to travel; the rest is dropped."""
    kept = {name: value for name, value in headers.items() if _travels(name, value)}
    token = _carried.set(kept)
    try:
        yield
    finally:
        _carried.reset(token)


def carried() -> Mapping[str, str]:
    """The headers that calls carry just now; often none."""
    return _carried.get()


def request_id() -> str:
    """The id of the request that this work is for; empty outside of one."""
    return _carried.get().get(REQUEST_ID, "")


def trace_id() -> str:
    """The id of the trace that this work belongs to (W3C Trace Context); empty where there is none."""
    parts = _carried.get().get(TRACE_PARENT, "").split("-")
    return parts[1] if len(parts) == 4 else ""


def _travels(name: str, value: str) -> bool:
    return name.lower() in CARRIED_NAMES and len(value) <= 512 and is_clean_header(name, value)
