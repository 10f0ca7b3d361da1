"""/health for people, /health/live and /health/ready for what starts and feeds replicas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from ha_rag.http.openapi import errors
from ha_rag.http.problems import Problem
from ha_rag.http.replies import AliveReply, HealthReply
from ha_rag.http.service import DashboardService, Service
from ha_rag.http.wire import json_response
from ha_rag.strategy.status import ComponentStatus
from ha_rag.version import version

_SAFE = re.compile(r"[A-Za-z]\w*(?=:)(: HTTP \d{3})?")


def health_routes(service: Service) -> APIRouter:
    """The endpoints, over `service`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", responses={200: {"model": HealthReply}}, summary="How this replica is")
    async def health() -> Response:
        """Always 200: a replica that falls back is degraded, and still answers. No service is asked for this."""
        return json_response(health_wire(service))

    return routes


def probe_routes(service: DashboardService) -> APIRouter:
    """What starts, feeds and stops processes asks."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live", responses={200: {"model": AliveReply}}, summary="Whether it runs")
    async def live() -> Response:
        """200 as long as the process can answer at all."""
        return json_response({"status": "alive"})

    @routes.get(
        "/health/ready", responses={200: {"model": AliveReply}, **errors(503)}, summary="Whether to send it questions"
    )
    async def ready() -> Response:
        """503 while it shuts down, and as long as the index could not be loaded; whatever Redis and services do."""
        if service.draining:
            raise Problem(503, "draining", "this replica is shutting down", headers={"Connection": "close"})
        if isinstance(service, Service) and not service.documents.loaded():
            message = "the index could not be loaded yet; it is tried again and again, and /health says what is wrong"
            raise Problem(503, "index_not_loaded", message)
        return json_response({"status": "ready"})

    return routes


def health_wire(service: Service) -> dict[str, Any]:
    """How the replica is, from memory alone. Errors' texts stay in the log: this endpoint is open to everybody."""
    components = [_component(status) for status in service.rag.get_system_health().values()]
    index = dict(service.documents.status())
    reasons = [*_open(components), *_alone(service), *([str(index["problem"])] if index.get("problem") else [])]
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": reasons,
        "components": components,
        "shared_state": service.circuits.shared_state,
        "replica": service.circuits.replica,
        "version": version(),
        "index": index,
        "draining": service.draining,
    }


def _open(components: Iterable[dict[str, Any]]) -> Iterable[str]:
    for component in components:
        if component["state"] != "closed":
            yield f"circuit {component['circuit']} is {component['state'].replace('_', '-')}"


def _alone(service: Service) -> Iterable[str]:
    if service.shares_state and service.circuits.shared_state != "fresh":
        yield f"the shared state is {service.circuits.shared_state}: Redis has not been heard of lately"
    for what in service.circuits.limits:
        yield f"Redis refuses {what}"


def _component(status: ComponentStatus) -> dict[str, Any]:
    return {
        "circuit": status.circuit,
        "type": str(status.component_type),
        "name": status.name,
        "state": status.state,
        "calls": status.calls,
        "failures": status.failures,
        "failure_rate": round(status.get_failure_rate(), 4),
        "rejected": status.rejected,
        "mean_ms": round(status.mean_ms, 3),
        "p99_ms": round(status.p99_ms, 3),
        "last_error": _kind(status.last_error),
        "shared_state": status.shared_state,
    }


def _kind(error: str) -> str | None:
    """An error without a service's own words: its class, and the HTTP status where there was one."""
    if not error:
        return None
    safe = _SAFE.match(error)
    return safe.group() if safe else error
