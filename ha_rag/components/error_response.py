"""Translates a service's error responses into ComponentErrors; every HTTP status is translated here."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ha_rag.errors import ComponentError, InvalidRequestError, ServiceError, ThrottledError
from ha_rag.retry_after import requested_wait_s

INVALID_REQUEST = frozenset({400, 413, 422})
MAY_THROTTLE = frozenset({429, 503})
LONGEST_QUOTE = 200


def error_for(
    status: int, headers: Mapping[str, str], body: bytes, *, now_ms: int, secret: str | None
) -> ComponentError:
    """The error for a response whose status is not 2xx. Its text never contains `secret`, even if the body does."""
    message = f"HTTP {status}{_quoted(body, secret)}"
    if status in INVALID_REQUEST:
        return InvalidRequestError(message, status=status)
    if 300 <= status < 400:
        return ServiceError(f"HTTP {status}: a redirect, which is not followed", status=status)
    wait_s = requested_wait_s(headers, now_ms) if status in MAY_THROTTLE else None
    if wait_s is None:
        return ServiceError(message, status=status)
    return ThrottledError(f"{message} (retry after {wait_s:g} s)", retry_after_s=wait_s, status=status)


def _quoted(body: bytes, secret: str | None) -> str:
    """The service's message; empty if there is none that can be read."""
    shown = quoted(service_message(body), secret)
    return f": {shown}" if shown else ""


def quoted(text: str, secret: str | None, longest: int = LONGEST_QUOTE) -> str:
    """A service's text for use in an error message: shortened, on one line, and without `secret`."""
    if secret:
        text = text.replace(secret, "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else text[:longest] + "..."


def not_json(body: bytes, secret: str | None) -> str:
    """The message for a response that should be JSON and is not."""
    # The key is replaced before the text is cut, because a partial key would not be recognised.
    known = body.replace(secret.encode(), b"***") if secret else body
    return f"the response is not JSON: {quoted(known[:4096].decode(errors='replace'), None, 40)!r}"


def service_message(body: bytes) -> str:
    """The message of an error response in OpenAI's format (`{"error": {"message"}}`) or a similar one, or ""."""
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    message = error.get("message", "") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
