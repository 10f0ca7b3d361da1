"""POST /v1/query: answers a question."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.asking import User, asker
from ha_rag.http.bodies import Body, read_json
from ha_rag.http.openapi import errors, takes
from ha_rag.http.questions import QuestionText, TimeoutS, TopK
from ha_rag.http.replies import QueryReply
from ha_rag.http.routing import Handler
from ha_rag.http.service import Service
from ha_rag.http.wire import answer_wire, json_response
from ha_rag.strategy.question import DEFAULT_TOP_K


class QueryBody(Body):
    """A question."""

    question: QuestionText
    top_k: TopK = DEFAULT_TOP_K
    timeout_s: TimeoutS | None = None
    user: User = ""


def query_handler(service: Service) -> Handler:
    """The handler of POST /v1/query."""
    max_s = service.limits.request_timeout_s

    async def query(request: Request) -> Response:
        """Answers from the documents, using the best tiers available. The answer says whether fallbacks were used."""
        body = await read_json(request, QueryBody)
        allowed_s = max_s if body.timeout_s is None else min(body.timeout_s, max_s)
        who = asker(service, request, body.user)
        answer = await service.rag.query(body.question, body.top_k, allowed_s, asker=who)
        return json_response(answer_wire(answer))

    return query


def query_routes(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["questions"])
    routes.add_api_route(
        "/v1/query",
        query_handler(service),
        methods=["POST"],
        summary="Answer a question",
        responses={200: {"model": QueryReply}, **errors(400, 401, 408, 413, 415, 422, 503)},
        openapi_extra=takes(QueryBody),
    )
    return routes
