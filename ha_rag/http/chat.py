"""POST /v1/chat/completions: the OpenAI-compatible API. The last user message is the question."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ha_rag.http.asking import asker
from ha_rag.http.bodies import read_json
from ha_rag.http.chat_parameters import ChatBody
from ha_rag.http.completions import ChatForm
from ha_rag.http.conversation import question_in, wishes_in
from ha_rag.http.openapi import errors, takes
from ha_rag.http.replies import ChatReply
from ha_rag.http.routing import Handler
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response

_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_REPLIES: dict[str, Any] = {
    "model": ChatReply,
    "content": {"text/event-stream": {}},
    "description": "The answer; with `stream`, as server-sent events.",
}


def chat_handler(service: Service) -> Handler:
    """The handler of POST /v1/chat/completions."""

    async def chat(request: Request) -> Response:
        """With `stream`, as server-sent events: no fallback after the first piece; a failure then is an error event.

        Parameters of OpenAI's that are not listed here are accepted and have no effect; `ha_rag.ignored` names them.
        """
        body = await read_json(request, ChatBody)
        question, (wishes, _), ignored = question_in(body.messages), wishes_in(body.messages), body.ignored()
        if service.strict_parameters if body.strict is None else body.strict:
            body.refuse(ignored)
        max_s = service.limits.request_timeout_s
        who = asker(service, request, body.asker)
        form = ChatForm(model=body.model, ignored=ignored, usage_wanted=body.stream_options.include_usage)
        if not body.stream:
            return json_response(form.completion(await service.rag.query(question, body.top_k, max_s, wishes, who)))
        events = service.rag.stream(question, body.top_k, max_s, wishes, who)
        # Wait for the first event: errors before it still get a status code.
        first = await anext(events)
        return StreamingResponse(
            form.server_sent(first, events), media_type="text/event-stream", headers=_STREAM_HEADERS
        )

    return chat


def chat_routes(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["OpenAI-compatible"])
    routes.add_api_route(
        "/v1/chat/completions",
        chat_handler(service),
        methods=["POST"],
        summary="Answer a question (OpenAI-compatible)",
        responses={200: _REPLIES, **errors(400, 401, 408, 413, 415, 422, 503)},
        openapi_extra=takes(ChatBody),
    )
    return routes
