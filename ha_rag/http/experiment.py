"""GET /v1/experiment: what the experiment shows so far. POST /v1/experiment/end and /resume: for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.http.bodies import Body, read_json
from ha_rag.http.openapi import errors, for_operators, takes
from ha_rag.http.problems import invalid, not_found
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response
from ha_rag.telemetry.experiment import ExperimentCounter
from ha_rag.telemetry.experiment_report import ExperimentReport


class EndBody(Body):
    """Which arm answers all questions from now on."""

    arm: Annotated[str, Field(min_length=1, max_length=64, description="The name of the arm.")]


def experiment_routes(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["feedback"])

    @routes.get(
        "/v1/experiment",
        responses={200: {"model": ExperimentReport}, **errors(401, 404)},
        summary="What the experiment shows so far",
    )
    async def shown() -> Response:
        """Both arms with their figures, and what people like more; read from Redis every five seconds."""
        return json_response(_counter(service).report())

    @routes.post(
        "/v1/experiment/end",
        responses={200: {"model": ExperimentReport}, **errors(400, 401, 403, 404, 408, 413, 415, 422, 503)},
        openapi_extra=for_operators(takes(EndBody)),
        summary="End the split: one arm for all",
    )
    async def end(request: Request) -> Response:
        """Within five seconds all replicas answer everybody by this arm, and count no more, until it is resumed."""
        service.access.admit_operator(request)
        counter = _counter(service)
        body = await read_json(request, EndBody)
        if body.arm not in counter.arms:
            raise invalid(f"arm: must be one of {', '.join(counter.arms)}", "arm")
        await counter.end(body.arm)
        return json_response(counter.report())

    @routes.post(
        "/v1/experiment/resume",
        responses={200: {"model": ExperimentReport}, **errors(401, 403, 404, 415, 503)},
        openapi_extra=for_operators(),
        summary="Resume the split",
    )
    async def resume(request: Request) -> Response:
        """Everybody is given the arm that they had before."""
        service.access.admit_operator(request)
        counter = _counter(service)
        await counter.end("")
        return json_response(counter.report())

    return routes


def _counter(service: Service) -> ExperimentCounter:
    if service.experiment is None:
        raise not_found("no experiment is configured: there is no [experiment] in the configuration")
    return service.experiment
