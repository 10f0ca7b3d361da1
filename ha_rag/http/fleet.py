"""GET /v1/fleet: the replicas that share circuits, by their heartbeats."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ha_rag.http.circuit_wire import fleet_wire
from ha_rag.http.describing import errors
from ha_rag.http.replies import FleetReply
from ha_rag.http.service import Service
from ha_rag.http.wire import json_response


def fleet_routes(service: Service) -> APIRouter:
    """The endpoint, over `service`."""
    routes = APIRouter(tags=["circuits"])

    @routes.get("/v1/fleet", responses={200: {"model": FleetReply}, **errors(401)}, summary="All replicas")
    async def fleet() -> Response:
        """Who is there, how fresh their belief is, what they disagree on; this replica alone where Redis is away."""
        return json_response(fleet_wire(await service.circuits.fleet()) | {"replica": service.circuits.replica})

    return routes
