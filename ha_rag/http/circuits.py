"""/v1/circuits: the shared state of each circuit, the same from every replica, and operator overrides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.convertors import StringConvertor, register_url_convertor
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
from ha_rag.turns import in_turns


class CircuitConvertor(StringConvertor):
    """A circuit's name in a path: it may be a URL, with slashes. No name ends like the path of an override."""

    regex = ".+(?<!/override)"


register_url_convertor("circuit", CircuitConvertor())

CircuitName = Annotated[str, Path(examples=["embedder.primary"], description="Its name, as in `/v1/circuits`.")]


class OverrideBody(Body):
    """An operator's override of a circuit."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: Remark
    for_s: Annotated[float, Field(gt=0, le=2_592_000)] | None = Field(
        default=None, description="Seconds until it expires; absent: it stays until deleted."
    )


def circuit_routes(service: DashboardService) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["circuits"])
    circuits = service.circuits

    def shown(report: CircuitReport) -> dict[str, Any]:
        wire: dict[str, Any] = service.redactor.redacted_in(circuit_wire(report))
        return wire

    @routes.get("/v1/circuits", responses={200: {"model": CircuitsReply}, **errors(401)}, summary="All circuits")
    async def every() -> Response:
        """The shared state, read from Redis; what this replica's calls meet while Redis is unreachable.

        A Redis that lost its data makes no difference: this replica tells what it knows until that is restored.
        """
        reports = [shown(report) async for report in in_turns(await circuits.circuits())]
        return json_response({"circuits": reports, "shared_state": circuits.shared_state, "replica": circuits.replica})

    @routes.get(
        "/v1/circuits/{name:circuit}",
        responses={200: {"model": CircuitReply}, **errors(401, 404)},
        summary="One circuit",
    )
    async def one(name: CircuitName) -> Response:
        with _names_shown(service):
            return json_response(shown(await _report(service, name)))

    @routes.put(
        "/v1/circuits/{name:circuit}/override",
        responses={200: {"model": CircuitReply}, **errors(400, 401, 403, 404, 408, 413, 415, 422, 503)},
        openapi_extra=for_operators(takes(OverrideBody)),
        summary="Override a circuit",
    )
    async def override(request: Request, name: CircuitName) -> Response:
        """`open` refuses all calls; `closed` admits all; `disabled` also counts none; `shadow` only reports.

        It applies to every replica, whatever the circuit's scope, and to those that join later. `unconfirmed` in the
        reply says how many other replicas have not confirmed it yet. Without a Redis it applies to this replica alone;
        with one that is unreachable nothing is changed, and the reply is 503.
        """
        service.access.admit_operator(request)
        body = await read_json(request, OverrideBody)
        with _names_shown(service):
            report = await circuits.override(
                name, OverrideMode(body.mode), reason=body.reason, by=operator(request), for_s=body.for_s
            )
        return json_response(shown(report))

    @routes.delete(
        "/v1/circuits/{name:circuit}/override",
        responses={200: {"model": CircuitReply}, **errors(401, 403, 404, 413, 415, 503)},
        openapi_extra=for_operators(),
        summary="End an override",
    )
    async def end_override(request: Request, name: CircuitName) -> Response:
        """The circuit follows its calls again."""
        service.access.admit_operator(request)
        with _names_shown(service):
            return json_response(shown(await circuits.end_override(name, by=operator(request))))

    return routes


async def _report(service: DashboardService, name: CircuitName) -> CircuitReport:
    found = {report.name: report for report in await service.circuits.circuits()}
    if name not in found:
        raise UnknownCircuitError(name[:128], tuple(sorted(found)))
    return found[name]


@contextmanager
def _names_shown(service: DashboardService) -> Iterator[None]:
    """Strikes secrets out of the names of circuits in an error: any client of Redis may have written one."""
    try:
        yield
    except UnknownCircuitError as error:
        raise UnknownCircuitError(error.circuit, service.redactor.redacted_in(error.known)) from None


def operator(request: Request) -> str:
    """The operator's name in events: the address of the client."""
    return f"operator at {request.client.host}" if request.client else "operator"
