"""A service's "no", as one of our errors: each HTTP status is translated here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ha_rag.components.retry_after import rest_asked_for_s
from ha_rag.errors import ComponentError, InvalidRequestError, ServiceError, ThrottledError

REFUSED_FOR_WHAT_IT_SAYS = frozenset({400, 413, 422})
MAY_ASK_FOR_REST = frozenset({429, 503})
LONGEST_QUOTE = 200


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, now_ms: int, secret: str | None) -> ComponentError:
    """The error for a reply that is no 2xx. `secret` never appears in its text, even where the service repeats it."""
    message = f"HTTP {status}{_quoted(body, secret)}"
    if status in REFUSED_FOR_WHAT_IT_SAYS:
        return InvalidRequestError(message, status=status)
    if 300 <= status < 400:
        return ServiceError(f"HTTP {status}: a redirect, which is not followed", status=status)
    rest_s = rest_asked_for_s(headers, now_ms) if status in MAY_ASK_FOR_REST else None
    if rest_s is None:
        return ServiceError(message, status=status)
    return ThrottledError(f"{message} (asks for {rest_s:g} s of rest)", retry_after_s=rest_s, status=status)


def _quoted(body: bytes, secret: str | None) -> str:
    """What the service said, short, on one line and without our key; empty where it said nothing readable."""
    shown = quoted(service_message(body), secret)
    return f": {shown}" if shown else ""


def quoted(text: str, secret: str | None, longest: int = LONGEST_QUOTE) -> str:
    """`text` of a service as an error may repeat it: short, on one line, and without `secret`."""
    if secret:
        text = text.replace(secret, "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else text[:longest] + "..."


def no_json(body: bytes, secret: str | None) -> str:
    """What is said of a reply that should be JSON and is not: how it begins."""
    # The key is struck out before anything is cut off: half a key would not be known for one.
    known = body.replace(secret.encode(), b"***") if secret else body
    return f"answered with no JSON: {quoted(known[:4096].decode(errors='replace'), None, 40)!r}"


def service_message(body: bytes) -> str:
    """The message in an error reply of OpenAI's form (`{"error": {"message"}}`) or close to it, or ""."""
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    message = error.get("message", "") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
