"""Finds the error that a reply reports, in the forms that OpenAI-compatible services use, and what it says.

{"error": {"message", "code", "type"}}         OpenAI, most gateways; also as a string, or true beside the message
{"object": "error", "message", "code"}         vLLM, FastChat
{"type": "error", "error": {"message"}}        Anthropic
{"code", "message"}, {"detail"}, {"errors"}    DashScope, FastAPI (a list of objects), Cloudflare
{"base_resp": {"status_code", "status_msg"}}   MiniMax
{"choices": [{"error": {...}}]}                OpenRouter
[{"error": {...}}]                             Google
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ERRORS = ("error", "errors", "Error", "exception")
WORDS = (
    "message", "msg", "Message", "detail", "details", "error_message", "errorMessage", "error_msg", "errmsg",
    "status_msg", "error_description", "description", "reason", "title",
)  # fmt: skip
CODES = ("code", "status_code", "statusCode", "status", "http_status", "error_code", "type")
FINE = frozenset({"0", "200", "ok", "success", "succeeded", "none", "null"})
"""Codes, in lower case, of replies that report no error."""
BAD = frozenset({"error", "failed", "failure", "fail"})
THROTTLES = frozenset(
    {"rate_limit_error", "rate_limit_exceeded", "rate_limited", "resource_exhausted", "too_many_requests", "throttling"}
)
"""Codes and types, in lower case, that mean HTTP 429."""
_TELLING = frozenset({*ERRORS, "type", "event", "status", "status_code", "success"})
"""Keys without which a reply that has a result reports no error: nearly all replies."""
DEEPEST = 6
MOST_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error that a service reports. `words`: its message, or ""; `status`: the HTTP status in it, or None."""

    words: str
    status: int | None = None


def complaint_in(reply: object, result: str = "choices") -> Complaint | None:
    """The error in a reply, or None. `result`: the key of what a good reply holds.

    Beside a result, only an error that says something counts: `"error": null` and its empty kin are none. Without one,
    a message or a code is an error too.
    """
    if isinstance(reply, list):
        found = [complaint_in(item, result) for item in reply[:MOST_ITEMS] if isinstance(item, Mapping)]
        return next((complaint for complaint in found if complaint is not None), None)
    if not isinstance(reply, Mapping):
        return None
    has_result = bool(reply.get(result))
    if has_result and reply.keys().isdisjoint(_TELLING) and reply.get("object") != "error":
        return described(reply) if _has_failed_choice(reply) else None
    if any(not _is_empty(reply.get(key)) for key in ERRORS) or _is_marked(reply) or _has_failed_choice(reply):
        return described(reply)
    if not has_result and (_says_something(reply) or _is_marked(reply.get("base_resp"))):
        return described(reply)
    return None


def described(reply: object) -> Complaint:
    """What a reply that is known to be an error says."""
    return Complaint(_words(reply), next(_statuses(reply), None))


def _is_marked(reply: object) -> bool:
    """Whether the reply calls itself an error."""
    if not isinstance(reply, Mapping):
        return False
    named = {str(reply.get(key)).lower() for key in ("object", "type", "event", "status")}
    code = reply.get("status_code")
    return bool(named & BAD) or reply.get("success") is False or not (code is None or str(code).lower() in FINE)


def _has_failed_choice(reply: Mapping[str, Any]) -> bool:
    choices = reply.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, Mapping) and not _is_empty(first.get("error"))


def _says_something(reply: Mapping[str, Any]) -> bool:
    code = reply.get("code")
    if str(code).lower() in FINE and code is not None:
        return False
    if any(isinstance(reply.get(key), str | list) and reply[key] for key in WORDS):
        return True
    return not (code is None or isinstance(code, bool))


def _is_empty(value: object, depth: int = 0) -> bool:
    """Whether an `error` says that there is none."""
    if isinstance(value, Mapping):
        code = value.get("code", value.get("status_code"))
        if code is not None and str(code).lower() in FINE:
            return True
        return depth > DEEPEST or all(_is_empty(item, depth + 1) for item in value.values())
    if isinstance(value, list):
        return depth > DEEPEST or all(_is_empty(item, depth + 1) for item in value)
    return not value or (isinstance(value, str) and (not value.strip() or value.strip().lower() in FINE))


def _words(value: object, depth: int = 0) -> str:
    """What a value says, without its structure."""
    if isinstance(value, str):
        return value.strip()
    if depth > DEEPEST:
        return ""
    if isinstance(value, list):
        return "; ".join(words for item in value[:MOST_ITEMS] if (words := _words(item, depth + 1)))
    if not isinstance(value, Mapping):
        return ""
    return _message(value, depth) or _code(value)


def _message(value: Mapping[str, Any], depth: int) -> str:
    choices = value.get("choices")
    nested = [choices[0]] if isinstance(choices, list) and choices and _has_failed_choice(value) else []
    parts = [value.get(key) for key in (*ERRORS, *WORDS, "base_resp")]
    words = next((words for part in [*parts, *nested] if (words := _words(part, depth + 1))), "")
    return f"{words} ({raw})" if words and (raw := _raw(value)) and raw not in words else words


def _raw(value: Mapping[str, Any]) -> str:
    """What the service behind a gateway said, or which part of the request it is about (FastAPI)."""
    metadata, place = value.get("metadata"), value.get("loc")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("raw"), str):
        return str(metadata["raw"])
    return ".".join(map(str, place[:DEEPEST])) if isinstance(place, list) else ""


def _code(value: Mapping[str, Any]) -> str:
    codes = [value.get(key) for key in CODES]
    return next(
        (str(code) for code in codes if isinstance(code, str | int) and code and not isinstance(code, bool)), ""
    )


def _statuses(value: object, depth: int = 0) -> Iterator[int]:
    """The HTTP statuses that a reply names, the innermost error first."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:MOST_ITEMS]:
            yield from _statuses(item, depth + 1)
    if not isinstance(value, Mapping):
        return
    inner: Sequence[object] = [value.get(key) for key in (*ERRORS, "base_resp", "choices")]
    for part in inner:
        yield from _statuses(part, depth + 1)
    for key in CODES:
        if (status := _status(value.get(key))) is not None:
            yield status


def _status(code: object) -> int | None:
    text = str(code).strip().lower() if isinstance(code, str | int) and not isinstance(code, bool) else ""
    if text in THROTTLES:
        return 429
    return int(text) if text.isdecimal() and len(text) == 3 and 400 <= int(text) <= 599 else None
