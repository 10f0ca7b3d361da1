"""Answers in the dialects of services that are OpenAI-compatible but not OpenAI.

Errors within a reply of status 200, after a few pieces of a stream:

    error-event     `event: error`, as Anthropic sends it
    error-object    `{"object": "error", "message", "code"}`, as vLLM sends it
    error-message   `{"code", "message"}`, without the key `error`

An answer that is not complete:

    no-end          a stream that stops without finish_reason or [DONE], and half a body
    length          half of the answer, with finish_reason "length"

Good answers of another form:

    no-done         an end without [DONE] and without the last blank line
    parts           content as a list of parts, one of which is thinking
    thinking        `<think>...</think>` in the text, split over the pieces
    surrogates      an emoji as two surrogates, in two pieces
    lenient         a byte order mark, and NaN in a field
    done-after      a body followed by `data: [DONE]`
    mislabelled     a stream labelled as JSON, and JSON labelled as a stream
    whole           a stream request answered with one JSON body
    big-headers     a header of 20 kB

Replies of embeddings have no end, parts or thinking; there such a dialect is a plain correct answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from aiohttp import web

from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.wire import JSON

EVENT_STREAM = "text/event-stream"
SAID = "the model is overloaded (simulated)"
THOUGHT = "They ask about this. Perhaps [9]? "
DONE = b"data: [DONE]\n\n"
_BOM = b"\xef\xbb\xbf"
ERRORS: dict[FaultMode, dict[str, object]] = {
    FaultMode.ERROR_EVENT: {"error": {"type": "overloaded_error", "message": SAID}},
    FaultMode.ERROR_OBJECT: {"object": "error", "message": SAID, "type": "ServiceUnavailable", "code": 50_001},
    FaultMode.ERROR_MESSAGE: {"code": "ServiceBusy", "message": SAID},
}

Change = Callable[[dict[str, Any]], None]


def spoken_whole(mode: FaultMode, body: bytes) -> web.Response:
    """The response with `body`, a correct reply, in a dialect."""
    label = EVENT_STREAM if mode is FaultMode.MISLABELLED else JSON
    return web.Response(body=_body(mode, body), content_type=label, headers=_headers(mode))


def spoken_events(mode: FaultMode, events: Sequence[bytes]) -> tuple[list[bytes], dict[str, str]]:
    """The events of a correct stream in a dialect, and the headers to send with them."""
    label = JSON if mode is FaultMode.MISLABELLED else EVENT_STREAM
    return _events(mode, list(events)), {"Content-Type": label, "Cache-Control": "no-cache", **_headers(mode)}


def _headers(mode: FaultMode) -> dict[str, str]:
    return {"X-Trace": "x" * 20_000} if mode is FaultMode.BIG_HEADERS else {}


def _body(mode: FaultMode, body: bytes) -> bytes:
    if mode in ERRORS:
        return orjson.dumps(ERRORS[mode])
    if mode is FaultMode.DONE_AFTER:
        return body + b"\n\n" + DONE
    if mode is FaultMode.LENIENT:
        return _BOM + body.replace(b"{", b'{"score":NaN,', 1)
    if mode is FaultMode.NO_END:
        return body[: len(body) // 2]
    reply = orjson.loads(body)
    if "choices" not in reply:
        return body
    change = _MESSAGES.get(mode)
    if change is not None:
        change(reply["choices"][0])
    return orjson.dumps(reply).replace(b"SURROGATES", rb"\ud83d\ude00")


def _shorten(choice: dict[str, Any]) -> None:
    content = choice["message"]["content"]
    choice["message"]["content"], choice["finish_reason"] = content[: len(content) // 2 + 1], "length"


def _part(choice: dict[str, Any]) -> None:
    choice["message"]["content"] = _parts(choice["message"]["content"])


def _think(choice: dict[str, Any]) -> None:
    choice["message"]["content"] = f"<think>{THOUGHT}</think>\n\n{choice['message']['content']}"


def _add_surrogates(choice: dict[str, Any]) -> None:
    choice["message"]["content"] += " SURROGATES"


_MESSAGES: dict[FaultMode, Change] = {
    FaultMode.LENGTH: _shorten,
    FaultMode.PARTS: _part,
    FaultMode.THINKING: _think,
    FaultMode.SURROGATES: _add_surrogates,
}


def _events(mode: FaultMode, events: list[bytes]) -> list[bytes]:
    """`events`: the role, the pieces, the end, perhaps usage, and [DONE]."""
    half = events[: max(2, len(events) // 2)]
    if mode in ERRORS:
        name = b"event: error\n" if mode is FaultMode.ERROR_EVENT else b""
        return [*half, name + b"data: " + orjson.dumps(ERRORS[mode]) + b"\n\n", DONE]
    match mode:
        case FaultMode.NO_END:
            return half
        case FaultMode.LENGTH:
            return [*half, _piece(events[0], "", "length"), DONE]
        case FaultMode.NO_DONE:
            return [*events[:-2], events[-2].rstrip(b"\n")]
        case FaultMode.LENIENT:
            return [_BOM + events[0], *(event.replace(b"{", b'{"score":NaN,', 1) for event in events[1:])]
        case FaultMode.THINKING:
            thoughts = ["<thi", "nk>", THOUGHT, "</th", "ink>\n\n"]
            return [events[0], *(_piece(events[0], thought) for thought in thoughts), *events[1:]]
        case FaultMode.PARTS:
            return [events[0], _piece(events[0], [_THOUGHT_PART]), *map(_in_parts, events[1:])]
        case FaultMode.SURROGATES:
            emoji = [_piece(events[0], "X").replace(b"X", half) for half in (rb" \ud83d", rb"\ude00 ")]
            return [*events[:2], *emoji, *events[2:]]
    return events


_THOUGHT_PART: dict[str, object] = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}


def _parts(text: str) -> list[dict[str, object]]:
    return [_THOUGHT_PART, {"type": "text", "text": text}]


def _piece(event: bytes, content: object, finish: str | None = None) -> bytes:
    """An event like `event` with another content."""
    chunk = orjson.loads(event.removeprefix(b"data: "))
    chunk["choices"] = [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _in_parts(event: bytes) -> bytes:
    if event == DONE:
        return event
    chunk = orjson.loads(event.removeprefix(b"data: "))
    for choice in chunk["choices"]:
        if text := choice["delta"].get("content"):
            choice["delta"]["content"] = [{"type": "text", "text": text}]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


DIALECTS = frozenset(
    {
        *ERRORS, *_MESSAGES, FaultMode.NO_END, FaultMode.NO_DONE, FaultMode.LENIENT, FaultMode.DONE_AFTER,
        FaultMode.MISLABELLED, FaultMode.WHOLE, FaultMode.BIG_HEADERS,
    }
)  # fmt: skip
"""The modes that change a correct reply."""
