"""W3C Trace Context: the caller's tracing headers that are passed on to services.

Without the extra `otel` this process creates no spans and passes the headers on unchanged, so that the services' spans
are children of the caller's. Malformed headers are dropped, never corrected.

Source: https://www.w3.org/TR/trace-context/ (sections 3.2 and 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_STATE = 512
MAX_MEMBERS = 32

_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}")
_ALL_ZEROS = {"0" * 32, "0" * 16}


def trace_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The valid `traceparent` and `tracestate` among `headers`; empty without a valid `traceparent`."""
    parents, states = [], []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
    parent = trace_parent(parents[0]) if len(parents) == 1 else None
    if parent is None:
        return {}
    state = _trace_state(states)
    return {"traceparent": parent} | ({"tracestate": state} if state else {})


def trace_parent(value: str) -> str | None:
    """`value` as a `traceparent` of version 00, which every service understands; None if malformed."""
    parts = _PARENT.fullmatch(value.strip(" \t"))
    if parts is None or parts["version"] == "ff" or (parts["version"] == "00" and parts["more"]):
        return None
    if parts["trace"] in _ALL_ZEROS or parts["span"] in _ALL_ZEROS:
        return None
    # Later versions may append fields, which only services that know those versions understand.
    return f"00-{parts['trace']}-{parts['span']}-{parts['flags']}"


def _trace_state(values: Iterable[str]) -> str:
    """All members as one list; empty if too long or malformed."""
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    members = [member for member in members if member]
    joined = ",".join(members)
    names = {member.partition("=")[0] for member in members}
    valid = all(_MEMBER.fullmatch(member) for member in members) and len(names) == len(members) <= MAX_MEMBERS
    return joined if valid and len(joined) <= MAX_STATE else ""
