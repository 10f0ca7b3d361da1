"""A reply of a provider, byte by byte, and what becomes of it: one row of `test_provider_replies.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ha_rag.outcomes import Outcome
from tests.components.canned import events, json_reply, reply

FAILED, INVALID, OK, THROTTLED = Outcome.FAILED, Outcome.INVALID, Outcome.OK, Outcome.THROTTLED
ANSWER = "It waits [1], then probes [2]."


@dataclass(frozen=True)
class Row:
    """One reply. `text`: the visible answer; in a failure, what a stream had sent before it.

    `outcome`: of the attempt, and what the circuit counts. `says`: part of the attempt's reason. `finish`: why the
    answer ended.
    """

    name: str
    answered: bytes
    text: str = ANSWER
    outcome: Outcome = OK
    says: str = ""
    finish: str = "stop"
    in_query: str | None = None

    @property
    def is_good(self) -> bool:
        return self.outcome is OK


def whole(content: Any = ANSWER, finish: Any = "stop", more: dict[str, Any] | None = None, **message: Any) -> bytes:
    return json_reply(completion(content, finish, more, **message))


def completion(
    content: Any = ANSWER, finish: Any = "stop", more: dict[str, Any] | None = None, **message: Any
) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    choices = [{"index": 0, "message": said, "finish_reason": finish}]
    return {"object": "chat.completion", "choices": choices, **(more or {})}


def chunk(content: Any = None, finish: Any = None, more: dict[str, Any] | None = None, **delta: Any) -> str:
    said = {**({} if content is None else {"content": content}), **delta}
    choices = [{"index": 0, "delta": said, "finish_reason": finish}]
    return orjson.dumps({"object": "chat.completion.chunk", "choices": choices, **(more or {})}).decode()


FIRST, REST, STOP, DONE = chunk("It waits [1], "), chunk("then probes [2]."), chunk(finish="stop"), "[DONE]"
BEGUN = "It waits [1], "
PIECES = (FIRST, REST)


def raw(body: bytes, content_type: str = "application/json", status: str = "200 OK", **headers: str) -> bytes:
    return reply(body, status, Content_Type=content_type, **headers)


def labelled(content_type: str, *data: str, end: bytes = b"") -> bytes:
    body = b"".join(f"data: {item}\n\n".encode() for item in data) + end
    return raw(body, content_type)


def named(name: str, data: str, *before: str) -> bytes:
    return events(*before, end=f"event: {name}\ndata: {data}\n\n".encode() + b"data: [DONE]\n\n")


def dumped(value: Any) -> str:
    return orjson.dumps(value).decode()


OVERLOADED = "the model is overloaded"
