"""Parses the responses of a `/chat/completions` endpoint: a complete one, or one event of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ha_rag.components.error_response import not_json, quoted, service_message
from ha_rag.components.usage import note_usage
from ha_rag.errors import InvalidRequestError, MalformedReplyError, ServiceError

FILTERED = "content_filter"


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer. `finished`: whether the service marked it as the last."""

    text: str
    finished: bool


def answer_in(body: bytes, secret: str | None = None) -> str:
    """The answer's text, never empty. `secret`: removed from error messages.

    Raises MalformedReplyError, and InvalidRequestError if the model refused or a content filter removed the answer.
    """
    choice = _first_choice(_parsed(body, secret))
    _refuse_filtered(choice)
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if isinstance(message, dict) and not text and message.get("refusal"):
        raise InvalidRequestError("the model refused to answer this question")
    if not isinstance(text, str) or not text.strip():
        raise MalformedReplyError("the answer is empty")
    return text.strip()


def delta_in(data: bytes, secret: str | None = None) -> Delta:
    """One event of a stream. Raises what `answer_in` raises, and ServiceError if the event is an error."""
    event = _parsed(data, secret)
    if "error" in event:
        said = quoted(service_message(data), secret)
        raise ServiceError(f"the stream contains an error: {said or 'without a message'}")
    if not event.get("choices"):
        return Delta("", finished=False)  # an event with usage only
    choice = _first_choice(event)
    _refuse_filtered(choice)
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    return Delta(text if isinstance(text, str) else "", finished=choice.get("finish_reason") is not None)


def _parsed(body: bytes, secret: str | None) -> dict[str, Any]:
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedReplyError(not_json(body, secret)) from None
    if not isinstance(reply, dict):
        raise MalformedReplyError("the response is not a JSON object")
    note_usage(reply)
    return reply


def _first_choice(reply: dict[str, Any]) -> dict[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedReplyError("the response has no answer under `choices`")
    return choices[0]


def _refuse_filtered(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason") == FILTERED:
        raise InvalidRequestError("the service's content filter removed the answer")
