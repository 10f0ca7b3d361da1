"""What a file may add to the requests of a service: headers, and fields of the body."""

from __future__ import annotations

import math
import string
from typing import Annotated, Any

from pydantic import AfterValidator, Field

MOST = 50
DEEPEST = 8
LARGEST = 2**63 - 1
_TOKEN = frozenset(string.ascii_letters + string.digits + "-_.!#$%&'*+^`|~")

SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "api-key", "apikey", "token", "secret")
"""Found in the names of headers that carry a secret."""
OWN_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "keep-alive", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "x-ha-rag-replica",
        "x-request-id",
    }
)  # fmt: skip
OWN_FIELDS = {
    "dimensions": "dimension and send_dimension",
    "encoding_format": "encoding_format",
    "input": "nothing: it is the text to embed",
    "messages": "nothing: they are the question and its passages",
    "model": "model or request_model",
    "n": "nothing: there is one answer",
    "stream": "nothing: it follows the request",
}
"""Fields that a component sets itself -> the settings that decide on them."""


def _header_name(name: str) -> str:
    if not name or not _TOKEN.issuperset(name):
        raise ValueError("must be the name of a header: letters, digits and dashes")
    if name.lower() in OWN_HEADERS:
        raise ValueError("is a header that is set for each request; choose another")
    return name


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        shown = name[:64]
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"{shown!r} is not the name of a header: letters, digits and dashes")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"{shown} is set for each request; remove it")
        if any(word in name.lower() for word in SECRET_HEADERS):
            raise ValueError(f"{shown} carries a secret; put it into the environment (api_key_env, api_key_header)")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {shown} must be printable ASCII")
    return headers


def _body(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if name in OWN_FIELDS:
            raise ValueError(f"must not set {name}; what decides on it is {OWN_FIELDS[name]}")
        if not _is_json(value):
            raise ValueError(
                f"the value of {name[:64]!r} cannot be sent as JSON (a date, nan, a huge number, or too deep)"
            )
    return fields


def _is_json(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return depth < DEEPEST and all(_is_json(item, depth + 1) for item in items)
    if isinstance(value, bool | str):
        return True
    if isinstance(value, int):
        return abs(value) <= LARGEST
    return isinstance(value, float) and math.isfinite(value)


HeaderName = Annotated[str, Field(max_length=64), AfterValidator(_header_name)]
ExtraHeaders = Annotated[
    dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=MOST), AfterValidator(_headers)
]
ExtraBody = Annotated[dict[str, Any], Field(max_length=MOST), AfterValidator(_body)]
