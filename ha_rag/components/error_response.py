"""Translates what a service answers instead of a result into ComponentErrors; every HTTP status is translated here."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from ha_rag.components.complaint import Complaint, described
from ha_rag.components.encodable import unicode_text
from ha_rag.components.lenient_json import read_json
from ha_rag.components.reply_events import events_in
from ha_rag.errors import ComponentError, InvalidRequestError, ServiceError, ThrottledError
from ha_rag.harmless import harmless
from ha_rag.redaction import NOTHING_KNOWN, Redactor
from ha_rag.retry_after import SHORT_PAUSE_S, TOO_MANY_REQUESTS, hinted_wait_s, response_wait_s

INVALID_REQUEST = frozenset({400, 413, 422})
USED_UP = ("insufficient_quota", "billing", "credit balance")
"""Found in a 429 that no waiting mends: the account has no money left."""
LONGEST_QUOTE = 200
LONGEST_READ = 4096
"""Characters of a service's text that are looked at for a quote."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
NO_HEADERS: Mapping[str, str] = {}


def error_for(
    status: int, headers: Mapping[str, str], body: bytes, *, now_ms: int, redactor: Redactor = NOTHING_KNOWN
) -> ComponentError:
    """The error for a response whose status is not 2xx. Its text holds no secret that `redactor` knows."""
    if 300 <= status < 400:
        return ServiceError(f"HTTP {status}: a redirect, which is not followed", status=status)
    said = quoted(service_message(body), redactor)
    text = body.decode(errors="replace")
    return _error(status, f"HTTP {status}: {said}" if said else f"HTTP {status}", headers, text, now_ms)


def reported_error(complaint: Complaint, body: bytes, *, redactor: Redactor, now_ms: int) -> ComponentError:
    """The error for one that a service reports within a reply of status 200, or within a stream.

    It is judged by the status that it names, as a response of that status would be. `body`: the reply or the event.
    """
    said = quoted(complaint.words, redactor) or "without a message"
    message = f"the service reports an error: {said}"
    if complaint.status is None:
        return ServiceError(message)
    return _error(complaint.status, message, NO_HEADERS, body.decode(errors="replace"), now_ms)


def _error(status: int, message: str, headers: Mapping[str, str], text: str, now_ms: int) -> ComponentError:
    if status in INVALID_REQUEST:
        return InvalidRequestError(message, status=status)
    wait_s = response_wait_s(status, headers, now_ms) or hinted_wait_s(status, text, now_ms)
    if wait_s is not None:
        return ThrottledError(f"{message} (retry after {wait_s:g} s)", retry_after_s=wait_s, status=status)
    if status == TOO_MANY_REQUESTS and not any(word in text for word in USED_UP):
        return ThrottledError(
            f"{message} (no time given; a pause of {SHORT_PAUSE_S:g} s)", retry_after_s=SHORT_PAUSE_S, status=status
        )
    return ServiceError(message, status=status)


def quoted(text: str, redactor: Redactor, longest: int = LONGEST_QUOTE) -> str:
    """A service's text for use in an error message: shortened, on one line, and without secrets."""
    # The secrets go before the text is cut: the first characters of one would not be recognised.
    text = harmless(" ".join(redactor.redacted(unicode_text(text[:LONGEST_READ])).split()))
    return text if len(text) <= longest else text[:longest] + "..."


def not_json(body: bytes, redactor: Redactor) -> str:
    """The message for a response that should be JSON and is not."""
    if not body.strip():
        return "the response is empty"
    return f"the response is not JSON: '{quoted(body[:LONGEST_READ].decode(errors='replace'), redactor, 40)}'"


def service_message(body: bytes) -> str:
    """The message of an error response: JSON as `complaint` knows it, an event, the title of a page, or text."""
    try:
        return described(read_json(body)).words
    except ValueError:
        event = next(events_in(body), None)
    if event is not None and not body.startswith(event.data):
        return service_message(event.data)
    text = body.decode(errors="replace").strip()
    if text.startswith("<"):
        title = _TITLE.search(text)
        return html.unescape(title[1]) if title else ""
    return "" if text.startswith(("{", "[")) or not any(map(str.isalpha, text)) else text
