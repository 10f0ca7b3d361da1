"""GET /v1/fleet: the current fleet snapshot."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ha_rag.http.openapi import errors
from ha_rag.http.service import DashboardService
from ha_rag.http.wire import json_response
from ha_rag.monitor.snapshot import FleetSnapshot

STALE_S = 0.5
"""Snapshots older than this are not served: the fleet is polled again."""


def fleet_routes(service: DashboardService) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["fleet"])

    @routes.get("/v1/fleet", responses={200: {"model": FleetSnapshot}, **errors(401)}, summary="The whole fleet")
    async def fleet() -> Response:
        """Circuits, replicas, traffic, timeline and the health of Redis, as this replica sees them."""
        return json_response(await service.watcher.recent(STALE_S))

    return routes
