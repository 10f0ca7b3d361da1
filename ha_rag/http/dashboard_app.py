"""The application of `ha-rag dashboard`: shows and controls the fleet; it does not answer questions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp

from ha_rag.http.access import ApiKeys
from ha_rag.http.app import application
from ha_rag.http.body_limit import BodyLimit
from ha_rag.http.circuits import circuit_routes
from ha_rag.http.events import event_routes
from ha_rag.http.fleet import fleet_routes
from ha_rag.http.health import probe_routes
from ha_rag.http.orders import order_routes
from ha_rag.http.pages import page_routes
from ha_rag.http.request_id import RequestId
from ha_rag.http.routing import HeadAsGet
from ha_rag.http.service import DashboardService
from ha_rag.http.wire import json_response
from ha_rag.version import version


def build_dashboard_app(service: DashboardService) -> ASGIApp:
    """The pages, the endpoints behind them, and operator actions. Keeps running while Redis is unreachable."""
    endpoints = (circuit_routes, order_routes, fleet_routes, event_routes, probe_routes, page_routes)
    routers = [routes(service) for routes in endpoints]
    app: ASGIApp = application([*routers, _health_routes(service)], service.access)
    return RequestId(ApiKeys(BodyLimit(HeadAsGet(app)), service.access))


def _health_routes(service: DashboardService) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/health", summary="Health of this dashboard")
    async def health() -> Response:
        """Always 200. While Redis is unreachable the dashboard is degraded, and its page says so."""
        return json_response(_health(service))

    return routes


def _health(service: DashboardService) -> dict[str, Any]:
    shared = service.circuits.shared_state
    reasons = [] if shared == "fresh" else [f"the shared state is {shared}: Redis is unreachable"]
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": reasons,
        "shared_state": shared,
        "replica": service.circuits.replica,
        "version": version(),
        "draining": service.draining,
    }
