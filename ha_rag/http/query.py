"""POST /v1/query: a question in, an answer out, and who served it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

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


def answering(service: Service) -> Handler:
    """What answers a question, over `service`."""
    longest_s = service.limits.request_timeout_s

    async def query(request: Request) -> Response:
        """Answers from the documents, by the best tier that is up. Says so where a lesser one had to stand in."""
        asked = await read_json(request, QueryBody)
        allowed_s = longest_s if asked.timeout_s is None else min(asked.timeout_s, longest_s)
        answer = await service.rag.query(asked.question, asked.top_k, allowed_s)
        return json_response(answer_wire(answer))

    return query


def query_routes(service: Service) -> APIRouter:
    """The endpoint, over `service`."""
    routes = APIRouter(tags=["questions"])
    routes.add_api_route(
        "/v1/query",
        answering(service),
        methods=["POST"],
        summary="Answer a question",
        responses={200: {"model": QueryReply}, **errors(400, 401, 408, 413, 415, 422, 503)},
        openapi_extra=takes(QueryBody),
    )
    return routes
