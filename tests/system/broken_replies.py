"""Replies that break: streams with an error, a bad end or no end, and replies without an answer."""

from __future__ import annotations

from ha_rag.outcomes import Outcome
from tests.components.canned import events
from tests.system.provider_replies import (
    ANSWER,
    BEGUN,
    DONE,
    FAILED,
    FIRST,
    INVALID,
    OVERLOADED,
    PIECES,
    STOP,
    THROTTLED,
    Row,
    chunk,
    dumped,
    named,
    raw,
)


def broken(name: str, *data: str, says: str = OVERLOADED, outcome: Outcome = FAILED) -> list[Row]:
    """The same events as the first of a stream, and after a piece."""
    return [
        Row(f"{name}, first", events(*data, DONE), "", outcome, says),
        Row(f"{name}, after a piece", events(FIRST, *data, DONE), BEGUN, outcome, says),
    ]


BROKEN = [
    # ---- errors inside a stream
    *broken("error", dumped({"error": {"message": OVERLOADED, "code": 500}})),
    *broken("error as a string", dumped({"error": OVERLOADED})),
    *broken("error true beside a message", dumped({"error": True, "status": 503, "message": OVERLOADED})),
    *broken("object error", dumped({"object": "error", "message": OVERLOADED, "code": 50_001})),
    *broken("type error", dumped({"type": "error", "error": {"type": "overloaded_error", "message": OVERLOADED}})),
    *broken("message and code", dumped({"code": "ServiceBusy", "message": OVERLOADED})),
    *broken("a message alone", dumped({"message": OVERLOADED})),
    *broken("msg and code", dumped({"code": 1305, "msg": OVERLOADED})),
    *broken("detail", dumped({"detail": OVERLOADED})),
    *broken("a list of details", dumped({"detail": [{"loc": ["body"], "msg": OVERLOADED}]})),
    *broken("a list of errors", dumped({"errors": [{"message": OVERLOADED}]})),
    *broken("success false", dumped({"success": False, "errors": [{"code": 7, "message": OVERLOADED}]})),
    *broken("a list", dumped([{"error": {"code": 503, "message": OVERLOADED, "status": "UNAVAILABLE"}}])),
    *broken("error in a choice", dumped({"choices": [{"delta": {"content": ""}, "error": {"message": OVERLOADED}}]})),
    *broken("error beside a good piece", chunk("and", more={"error": {"message": OVERLOADED}})),
    *broken("base_resp", dumped({"choices": None, "base_resp": {"status_code": 1002, "status_msg": OVERLOADED}})),
    *broken(
        "what the service behind said",
        dumped({"error": {"message": "Provider returned error", "metadata": {"raw": OVERLOADED}}}),
    ),
    *broken("status 529 in an error", dumped({"error": {"code": 529, "message": OVERLOADED}})),
    *broken("status 400 in an error", dumped({"error": {"code": 400, "message": OVERLOADED}}), outcome=INVALID),
    *broken("status 429 in an error", dumped({"error": {"code": "429", "message": OVERLOADED}}), outcome=THROTTLED),
    *broken(
        "rate_limit_error",
        dumped({"error": {"type": "rate_limit_error", "message": f"{OVERLOADED}: try again in 20s"}}),
        outcome=THROTTLED,
        says="retry after 20 s",
    ),
    *broken("an unknown object", dumped({"unexpected": 1}), says="no answer under `choices`"),
    *broken("an unknown word", dumped({"object": "chat.completion.failed"}), says="no answer under `choices`"),
    *broken("no JSON", "<html>Bad Gateway", says="not JSON"),
    *broken("half an event", '{"choices": [{"delta": {"con', says="not JSON"),
    *broken("a list without errors", "[]", says="not a JSON object"),
    Row("event: error, first", named("error", dumped({"message": OVERLOADED})), "", FAILED, OVERLOADED),
    Row(
        "event: error, after a piece",
        named("error", dumped({"error": {"message": OVERLOADED}}), FIRST),
        BEGUN,
        FAILED,
        OVERLOADED,
    ),
    Row("event: error, in words", named("error", OVERLOADED, FIRST), BEGUN, FAILED, OVERLOADED),
    Row("event: stream_error", named("stream_error", dumped({"code": 1}), FIRST), BEGUN, FAILED, "reports an error"),
    Row(
        "the field error",
        events(FIRST, end=f'error: {{"message": "{OVERLOADED}"}}\n\n'.encode()),
        BEGUN,
        FAILED,
        OVERLOADED,
    ),
    Row(
        "an error after the end", events(*PIECES, STOP, dumped({"error": OVERLOADED}), DONE), ANSWER, FAILED, OVERLOADED
    ),
    Row(
        "an error without a field",
        events(FIRST, end=f'{{"error": "{OVERLOADED}"}}\n\n'.encode() + b"data: [DONE]\n\n"),
        BEGUN,
        FAILED,
        OVERLOADED,
    ),
    # ---- ends
    Row(
        "an end with a piece, then a cut",
        raw(f"data: {chunk('It waits [1], ', 'stop')}\n\n".encode(), "text/event-stream", Content_Length="9999"),
        BEGUN,
        FAILED,
        "cut off",
    ),
    Row("no end", events(*PIECES), ANSWER, FAILED, "ended in the middle"),
    Row("no end, with an empty finish_reason", events(chunk(ANSWER, "")), ANSWER, FAILED, "ended in the middle"),
    Row(
        "no end, with finish_reason null in words", events(chunk(ANSWER, "null")), ANSWER, FAILED, "ended in the middle"
    ),
    Row(
        "usage but no end", events(*PIECES, dumped({"choices": [], "usage": {}})), ANSWER, FAILED, "ended in the middle"
    ),
    Row(
        "a cut",
        raw(f"data: {FIRST}\n\n".encode(), "text/event-stream", Content_Length="9999"),
        BEGUN,
        FAILED,
        "cut off",
    ),
    Row("a cut event", events(FIRST, end=b'data: {"choices": [{"del'), BEGUN, FAILED, "not JSON"),
    *broken("finish_reason error", chunk(finish="error"), says="'error'"),
    *broken("finish_reason abort", chunk(finish="abort"), says="'abort'"),
    *broken("finish_reason network_error", chunk(finish="network_error"), says="'network_error'"),
    *broken("content_filter", chunk(finish="content_filter"), says="content filter", outcome=INVALID),
    *broken("SAFETY", chunk(finish="SAFETY"), says="content filter", outcome=INVALID),
    Row("error with the last piece", events(FIRST, chunk("then", "error"), DONE), BEGUN, FAILED, "'error'"),
    # ---- nothing to show
    Row("empty", events(STOP, DONE), "", FAILED, "the answer is empty"),
    Row("blank", events(chunk(" \n"), STOP, DONE), "", FAILED, "the answer is empty"),
    Row("length without text", events(chunk(finish="length"), DONE), "", FAILED, "it ended with 'length'"),
    Row(
        "nothing but thinking",
        events(chunk("<think>on and on"), chunk(finish="length"), DONE),
        "",
        FAILED,
        "within its reasoning",
    ),
    Row(
        "nothing but reasoning_content",
        events(chunk(None, reasoning_content="hm"), STOP, DONE),
        "",
        FAILED,
        "the answer is empty",
    ),
    Row(
        "a refusal in a stream",
        events(chunk(None, refusal="I will not."), STOP, DONE),
        "",
        INVALID,
        "refused to answer this question: I will not.",
    ),
    Row("no event at all", events(), "", FAILED, ""),
    Row("HTML labelled as a stream", raw(b"<html>Bad Gateway</html>", "text/event-stream"), "", FAILED, ""),
]
