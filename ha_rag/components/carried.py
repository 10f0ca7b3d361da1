"""Headers that travel with a question: from whoever asked us, to the services that we ask.

The street (http/) puts a trace's and a request's id here; the service client takes them along. A context variable
belongs to one task and what it starts, so questions never see each other's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from ha_rag.components.service_config import NO_HEADERS, is_clean_header

CARRIED_NAMES = frozenset({"traceparent", "tracestate", "x-request-id"})
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


def _travels(name: str, value: str) -> bool:
    return name.lower() in CARRIED_NAMES and len(value) <= 512 and is_clean_header(name, value)
