"""W3C Trace Context: which of a caller's tracing headers may travel on to the services that its question needs.

Without the extra `otel` this process writes no spans of its own, and hands the caller's headers on as they are: a trace
then goes straight from the caller to the services. What breaks the rules is dropped, never mended.

Source: https://www.w3.org/TR/trace-context/ (sections 3.2 and 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_STATE = 512
MOST_MEMBERS = 32

_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}")
_NOBODY = {"0" * 32, "0" * 16}


def trace_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """`traceparent`, and `tracestate` where there is one, if they may travel on; else nothing."""
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
    """A `traceparent` in version 00, which every service understands; None where it breaks the rules."""
    parts = _PARENT.fullmatch(value.strip(" \t"))
    if parts is None or parts["version"] == "ff" or (parts["version"] == "00" and parts["more"]):
        return None
    if parts["trace"] in _NOBODY or parts["span"] in _NOBODY:
        return None
    # A later version may say more after these four; what it says is for those who know that version.
    return f"00-{parts['trace']}-{parts['span']}-{parts['flags']}"


def _trace_state(values: Iterable[str]) -> str:
    """All of it as one list; empty where it is too long or not well-formed."""
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    members = [member for member in members if member]
    joined = ",".join(members)
    names = {member.partition("=")[0] for member in members}
    sound = all(_MEMBER.fullmatch(member) for member in members) and len(names) == len(members) <= MOST_MEMBERS
    return joined if sound and len(joined) <= LONGEST_STATE else ""
