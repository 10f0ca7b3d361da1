"""/v1/circuits: the fleet's belief about each circuit, the same from every replica, and the operator's word over it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ha_rag.breaker.report import CircuitReport
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import UnknownCircuitError
from ha_rag.http.bodies import Body, read_json
from ha_rag.http.lines import Remark
from ha_rag.http.openapi import errors, for_operators, takes
from ha_rag.http.replies import CircuitReply, CircuitsReply
from ha_rag.http.service import DashboardService
from ha_rag.http.wire import circuit_wire, json_response

CircuitName = Annotated[str, Path(examples=["embedder.primary"], description="Its name, as in `/v1/circuits`.")]


class OverrideBody(Body):
    """An operator's word over a circuit."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: Remark
    for_s: Annotated[float, Field(gt=0, le=2_592_000)] | None = Field(
        default=None, description="Seconds until it ends by itself; absent: until it is deleted."
    )


def circuit_routes(service: DashboardService) -> APIRouter:
    """The endpoints, over `service`."""
    routes = APIRouter(tags=["circuits"])
    circuits = service.circuits

    @routes.get("/v1/circuits", responses={200: {"model": CircuitsReply}, **errors(401)}, summary="All circuits")
    async def every() -> Response:
        """The fleet's belief, asked of Redis; this replica's own where Redis is away."""
        reports = [circuit_wire(report) for report in await circuits.circuits()]
        return json_response({"circuits": reports, "shared_state": circuits.shared_state, "replica": circuits.replica})

    @routes.get(
        "/v1/circuits/{name}", responses={200: {"model": CircuitReply}, **errors(401, 404)}, summary="One circuit"
    )
    async def one(name: CircuitName) -> Response:
        return json_response(circuit_wire(await _report(service, name)))

    @routes.put(
        "/v1/circuits/{name}/override",
        responses={200: {"model": CircuitReply}, **errors(400, 401, 403, 404, 408, 413, 415, 422, 503)},
        openapi_extra=for_operators(takes(OverrideBody)),
        summary="Override a circuit",
    )
    async def override(request: Request, name: CircuitName) -> Response:
        """`open` refuses all calls, `closed` lets all pass, `disabled` counts nothing, `shadow` only tells."""
        service.access.admit_operator(request)
        word = await read_json(request, OverrideBody)
        report = await circuits.override(
            name, OverrideMode(word.mode), reason=word.reason, by=operator(request), for_s=word.for_s
        )
        return json_response(circuit_wire(report))

    @routes.delete(
        "/v1/circuits/{name}/override",
        responses={200: {"model": CircuitReply}, **errors(401, 403, 404, 413, 415, 503)},
        openapi_extra=for_operators(),
        summary="End an override",
    )
    async def end_override(request: Request, name: CircuitName) -> Response:
        """The circuit goes by its calls again."""
        service.access.admit_operator(request)
        return json_response(circuit_wire(await circuits.end_override(name, by=operator(request))))

    return routes


async def _report(service: DashboardService, name: CircuitName) -> CircuitReport:
    found = {report.name: report for report in await service.circuits.circuits()}
    if name not in found:
        raise UnknownCircuitError(name[:128], tuple(sorted(found)))
    return found[name]


def operator(request: Request) -> str:
    """Who acts, as far as that can be known: the address of the caller."""
    return f"operator at {request.client.host}" if request.client else "operator"
