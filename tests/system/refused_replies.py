"""Replies that are no stream and no answer: errors in any form and status, and pauses that a service asks for."""

from __future__ import annotations

from typing import Any

import orjson

from ha_rag.outcomes import Outcome
from tests.system.provider_replies import (
    ANSWER,
    FAILED,
    INVALID,
    OVERLOADED,
    THROTTLED,
    Row,
    completion,
    raw,
)


def refused(
    name: str, body: Any, says: str = OVERLOADED, outcome: Outcome = FAILED, status: str = "200 OK", **headers: str
) -> Row:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Row(name, raw(content, "application/json", status, **headers), "", outcome, says)


LIMITED, DOWN = "429 Too Many Requests", "503 Service Unavailable"

REFUSED = [
    # ---- errors in whole replies
    refused("an error in a 200", {"error": {"message": OVERLOADED}}),
    refused("an error in a 200 with choices null", {"choices": None, "error": {"message": OVERLOADED, "code": 502}}),
    refused("a detail in a 200", {"detail": OVERLOADED}),
    refused("a list in a 200", [{"error": {"message": OVERLOADED}}]),
    refused("a 400 in a 200", {"error": {"message": OVERLOADED, "code": 400}}, outcome=INVALID),
    refused(
        "a failed choice in a 200",
        {
            "choices": [
                {"error": {"message": OVERLOADED, "code": 502}, "finish_reason": "error", "message": {"content": "It"}}
            ]
        },
    ),
    refused("no choices", {"choices": [], "id": "x"}, "ended in the middle"),
    refused("an empty object", {}, "ended in the middle"),
    refused("null", b"null", "not a JSON object"),
    refused("an empty body", b"", ""),
    refused("half a body", b'{"choices": [{"message": {"content": "half', "not JSON"),
    Row("HTML", raw(b"<html>Bad Gateway</html>", "text/html"), "", FAILED, ""),
    refused("a refusal", completion(None, refusal="I will not."), "I will not.", INVALID),
    refused("a content filter", completion("So", "content_filter"), "content filter", INVALID),
    refused("finish_reason error", completion(ANSWER, "error"), "'error'"),
    refused("an empty answer", completion(""), "the answer is empty"),
    refused("tool calls alone", completion(None, "tool_calls"), "it ended with 'tool_calls'"),
    # ---- statuses and words
    refused(
        "401 in OpenAI's form",
        {"error": {"message": "bad key", "code": "invalid_api_key"}},
        "HTTP 401: bad key",
        status="401 Unauthorized",
    ),
    refused("500 as a string", {"error": OVERLOADED}, f"HTTP 500: {OVERLOADED}", status="500 No"),
    refused("500 in detail", {"detail": OVERLOADED}, f"HTTP 500: {OVERLOADED}", status="500 No"),
    refused(
        "422 in a list of details",
        {"detail": [{"loc": ["body", "input"], "msg": "too long"}]},
        "HTTP 422: too long (body.input)",
        INVALID,
        "422 No",
    ),
    refused("500 in a list", [{"error": {"message": OVERLOADED}}], f"HTTP 500: {OVERLOADED}", status="500 No"),
    refused(
        "500 in a list of errors", {"errors": [{"message": OVERLOADED}]}, f"HTTP 500: {OVERLOADED}", status="500 No"
    ),
    refused(
        "500 as an event",
        b'data: {"error": {"message": "the model is overloaded"}}\n\n',
        f"HTTP 500: {OVERLOADED}",
        status="500 No",
    ),
    refused(
        "500 with a byte order mark",
        b'\xef\xbb\xbf{"error": "the model is overloaded"}',
        f"HTTP 500: {OVERLOADED}",
        status="500 No",
    ),
    refused("500 in HTML", b"<html>", "HTTP 500", status="500 No"),
    refused(
        "502 of a proxy",
        b"<html><head><title>502 Bad\n Gateway</title></head></html>",
        "HTTP 502: 502 Bad Gateway",
        status="502 No",
    ),
    refused(
        "503 in words",
        b"upstream connect error or disconnect/reset before headers",
        "HTTP 503: upstream connect error",
        status=DOWN,
    ),
    refused("400", {"error": {"message": OVERLOADED}}, f"HTTP 400: {OVERLOADED}", INVALID, "400 Bad Request"),
    # ---- rests
    refused("429 with seconds", {}, "retry after 7 s", THROTTLED, LIMITED, Retry_After="7"),
    refused("429 with units", {}, "retry after 2 s", THROTTLED, LIMITED, Retry_After="2s"),
    refused("429 with minutes", {}, "retry after 90 s", THROTTLED, LIMITED, Retry_After="1m30s"),
    refused("429 with milliseconds", {}, "retry after 0.25 s", THROTTLED, LIMITED, retry_after_ms="250"),
    refused(
        "429 with a date",
        {},
        "retry after 30 s",
        THROTTLED,
        LIMITED,
        Date="Wed, 01 Jan 2020 00:00:00 GMT",
        Retry_After="Wed, 01 Jan 2020 00:00:30 GMT",
    ),
    refused(
        "429 with a reset",
        {},
        "retry after 360 s",
        THROTTLED,
        LIMITED,
        x_ratelimit_reset_tokens="6m0s",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_requests="1s",
        x_ratelimit_remaining_requests="9",
    ),
    refused(
        "429 with a hint", {"error": {"message": "Please try again in 20s."}}, "retry after 20 s", THROTTLED, LIMITED
    ),
    refused(
        "429 with a delay in its details",
        {"error": {"details": [{"retryDelay": "34s"}]}},
        "retry after 34 s",
        THROTTLED,
        LIMITED,
    ),
    refused("429 without any time", {"error": {"message": OVERLOADED}}, "no time given", THROTTLED, LIMITED),
    refused(
        "429 whose credit is used up",
        {"error": {"message": "no credit", "code": "insufficient_quota"}},
        "no credit",
        FAILED,
        LIMITED,
    ),
    refused("503 with seconds", {}, "retry after 7 s", THROTTLED, DOWN, Retry_After="7"),
    refused("503 without a time", {}, "HTTP 503", FAILED, DOWN),
    refused("502 with seconds", {}, "retry after 7 s", THROTTLED, "502 Bad Gateway", Retry_After="7"),
    refused("504 with seconds", {}, "retry after 7 s", THROTTLED, "504 Gateway Timeout", Retry_After="7"),
    refused("529 with seconds", {}, "retry after 7 s", THROTTLED, "529 Overloaded", Retry_After="7"),
    refused("500 with seconds", {}, "retry after 7 s", THROTTLED, "500 No", Retry_After="7"),
    refused("404 with seconds", {}, "HTTP 404", FAILED, "404 Not Found", Retry_After="7"),
    refused("a reset in a 500", {}, "HTTP 500", FAILED, "500 No", x_ratelimit_reset_requests="7"),
]
