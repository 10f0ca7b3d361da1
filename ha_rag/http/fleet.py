"""GET /v1/fleet: everything that a dashboard shows, at this moment."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ha_rag.http.openapi import errors
from ha_rag.http.service import DashboardService
from ha_rag.http.wire import json_response
from ha_rag.monitor.snapshot import FleetSnapshot

STALE_S = 0.5
"""A picture older than this is not handed out: the fleet is looked at anew."""


def fleet_routes(service: DashboardService) -> APIRouter:
    """The endpoint, over `service`."""
    routes = APIRouter(tags=["fleet"])

    @routes.get("/v1/fleet", responses={200: {"model": FleetSnapshot}, **errors(401)}, summary="The whole fleet")
    async def fleet() -> Response:
        """Circuits, replicas, traffic, timeline and Redis's own health, as this replica sees them."""
        return json_response(await service.watcher.recent(STALE_S))

    return routes
