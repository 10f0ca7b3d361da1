"""POST /v1/chat/completions and GET /v1/models: the OpenAI-compatible API.

The last user message is the question; earlier messages are ignored. OpenAI fields that have no effect here
(`temperature`, `max_tokens` ...) are accepted and ignored, so that clients only change their base URL. The fields of
`/v1/query` are under `ha_rag`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ha_rag.clock import SystemClock
from ha_rag.errors import ConfigurationError
from ha_rag.http.bodies import Body, read_json
from ha_rag.http.openapi import errors, takes
from ha_rag.http.problems import Problem, invalid
from ha_rag.http.questions import TopK
from ha_rag.http.replies import ChatReply, ModelsReply
from ha_rag.http.service import Service
from ha_rag.http.wire import answer_wire, json_response
from ha_rag.messages import Answer
from ha_rag.strategy.question import DEFAULT_TOP_K, checked_question
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted

MODEL = "ha_rag"
_LENIENT = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_REPLIES: dict[str, Any] = {
    "model": ChatReply,
    "content": {"text/event-stream": {}},
    "description": "The answer; with `stream`, as server-sent events.",
}

StreamEvent = AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken


class TextPart(BaseModel):
    """A part of a message."""

    model_config = _LENIENT

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a conversation."""

    model_config = _LENIENT

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None


class ChatBody(Body):
    """A conversation whose last user message is the question."""

    model_config = _LENIENT

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    model: Annotated[str, Field(max_length=256)] = MODEL
    stream: bool = False
    top_k: TopK = DEFAULT_TOP_K


def chat_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["OpenAI-compatible"])

    @routes.post(
        "/v1/chat/completions",
        summary="Answer a question (OpenAI-compatible)",
        responses={200: _REPLIES, **errors(400, 401, 408, 413, 415, 422, 503)},
        openapi_extra=takes(ChatBody),
    )
    async def chat(request: Request) -> Response:
        """With `stream`, as server-sent events: no fallback after the first piece; a failure then is an error event."""
        body = await read_json(request, ChatBody)
        question, allowed_s = question_of(body), service.limits.request_timeout_s
        if not body.stream:
            return json_response(completion(await service.rag.query(question, body.top_k, allowed_s), body.model))
        events = service.rag.stream(question, body.top_k, allowed_s)
        # Wait for the first event: errors before it still get a status code.
        first = await anext(events)
        pieces = server_sent(first, events, body.model)
        return StreamingResponse(pieces, media_type="text/event-stream", headers=_STREAM_HEADERS)

    @routes.get(
        "/v1/models",
        summary="List the models (OpenAI-compatible)",
        responses={200: {"model": ModelsReply}, **errors(401)},
    )
    async def models() -> Response:
        """There is one model: the whole pipeline, whichever tiers serve it."""
        return json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "ha_rag"}]})

    return routes


def question_of(body: ChatBody) -> str:
    """The text of the last user message. Raises Problem if there is none, or if it is not a valid question."""
    for message in reversed(body.messages):
        if message.role == "user":
            content = message.content or ""
            try:
                return checked_question(
                    content if isinstance(content, str) else "\n".join(part.text for part in content)
                )
            except ConfigurationError as error:
                raise invalid(f"messages: the last user message {_rule_of(error)}", "messages") from None
    raise invalid("messages: at least one must have the role user", "messages")


def _rule_of(error: ConfigurationError) -> str:
    return str(error).removeprefix("question: ")


def completion(answer: Answer, model: str) -> dict[str, Any]:
    """An answer as an OpenAI chat completion."""
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**_head(answer.id, "chat.completion", model), "choices": [choice], "ha_rag": answer_wire(answer)}


async def server_sent(
    first: StreamEvent, events: AsyncGenerator[StreamEvent, None], model: str
) -> AsyncIterator[bytes]:
    """The events of a stream in wire form; `first` has already been read from `events`."""
    answer_id = first.id if isinstance(first, AnswerStarted) else ""
    async with aclosing(events):
        yield _data(_chunk(answer_id, model, {"role": "assistant", "content": ""}))
        async for event in events:
            match event:
                case AnswerPiece():
                    yield _data(_chunk(answer_id, model, {"content": event.text}))
                case AnswerDone():
                    end = _chunk(answer_id, model, {}, finish_reason="stop")
                    yield _data({**end, "ha_rag": answer_wire(event.answer)}) + b"data: [DONE]\n\n"
                case AnswerBroken():
                    yield b"data: " + Problem(502, "stream_broken", event.reason).body() + b"\n\n"


def _chunk(answer_id: str, model: str, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**_head(answer_id, "chat.completion.chunk", model), "choices": [choice]}


def _head(answer_id: str, kind: str, model: str) -> dict[str, Any]:
    return {"id": answer_id, "object": kind, "created": SystemClock.unix_ms() // 1000, "model": model}


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
