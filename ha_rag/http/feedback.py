"""POST /v1/feedback: what people think of answers. GET /v1/feedback: what they wrote."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.harmless import harmless
from ha_rag.http.bodies import Body, read_json
from ha_rag.http.openapi import errors, for_operators, takes
from ha_rag.http.problems import Problem, not_found, retry_after
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response
from ha_rag.ledger.store.feedback import MAX_COMMENT_CHARS, Comment
from ha_rag.redaction import Redactor
from ha_rag.telemetry.feedback import Feedback

MAX_ID_CHARS = 200
COMMENTS_SHOWN = 100


def _number(score: object) -> object:
    # In strict mode a float may be written as a whole number, and true is no number.
    return float(score) if isinstance(score, int) and not isinstance(score, bool) and abs(score) <= 1 else score


class FeedbackBody(Body):
    """What somebody thinks of an answer."""

    answer: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS, description="The `id` of the answer.")]
    score: Annotated[
        float,
        Field(ge=-1, le=1, description="From -1 to 1: above 0 it helped, below 0 it did not."),
        BeforeValidator(_number),
    ]
    comment: Annotated[
        str, Field(max_length=MAX_COMMENT_CHARS, description="Why, if they like to say. The first one is kept.")
    ] = ""


class FeedbackReply(BaseModel):
    """`counted`: false if this rating had been counted before."""

    answer: str
    counted: bool


class CommentReply(BaseModel):
    """A comment. `about`: the degradation of the answer, such as `degradation:none`."""

    verdict: str
    about: str
    comment: str


class CommentsReply(BaseModel):
    """The newest comments, newest first."""

    comments: list[CommentReply]


def feedback_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["feedback"])

    @routes.post(
        "/v1/feedback",
        responses={200: {"model": FeedbackReply}, **errors(400, 401, 404, 408, 413, 415, 422, 429, 503)},
        openapi_extra=takes(FeedbackBody),
        summary="Rate an answer",
    )
    async def give(request: Request) -> Response:
        """Counts it for the whole fleet. Sent again, it changes the rating and adds none: one for each API key."""
        feedback = _feedback(service)
        body = await read_json(request, FeedbackBody)
        if (wait_s := feedback.wait_s()) > 0:
            raise Problem(
                429, "too_much_feedback", "too much feedback at a time; send it later", headers=retry_after(wait_s)
            )
        made = feedback.made(body.answer)
        if made is None:
            raise not_found("answer: this fleet gave no answer with this id within the last week", "answer")
        comment = harmless(body.comment.strip(), lines=True, longest=MAX_COMMENT_CHARS)
        counted = await feedback.give(body.answer, made, body.score, comment, _rater(service, request))
        return json_response({"answer": body.answer, "counted": counted})

    @routes.get(
        "/v1/feedback",
        responses={200: {"model": CommentsReply}, **errors(401, 403, 503)},
        openapi_extra=for_operators(),
        summary="What people wrote about answers",
    )
    async def comments(request: Request) -> Response:
        """The last hundred comments, newest first. `/v1/fleet` has the numbers."""
        service.access.admit_operator(request)
        given = await _feedback(service).comments(COMMENTS_SHOWN)
        return json_response({"comments": [_comment_wire(one, service.redactor) for one in given]})

    return routes


def _comment_wire(comment: Comment, redactor: Redactor) -> dict[str, str]:
    return {"verdict": comment.verdict, "about": comment.about, "comment": redactor.redacted(comment.text)}


def _feedback(service: Service) -> Feedback:
    if service.feedback is None:
        raise not_found("this server takes no feedback")
    return service.feedback


def _rater(service: Service, request: Request) -> str:
    """Who rates: an API key, where there are keys. Otherwise anybody could be anybody, and all are one."""
    if not service.access.api_keys:
        return ""
    return hashlib.sha256(request.headers.get("authorization", "").encode()).hexdigest()
