"""/health for people; /health/live and /health/ready for orchestrators and load balancers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
    """The endpoints."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", responses={200: {"model": HealthReply}}, summary="Health of this replica")
    async def health() -> Response:
        """Always 200: a replica that uses fallbacks is degraded and still answers. Calls no service."""
        return json_response(health_wire(service))

    return routes


def probe_routes(service: DashboardService) -> APIRouter:
    """Liveness and readiness."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live", responses={200: {"model": AliveReply}}, summary="Liveness")
    async def live() -> Response:
        """200 as long as the process responds."""
        return json_response({"status": "alive"})

    @routes.get("/health/ready", responses={200: {"model": AliveReply}, **errors(503)}, summary="Readiness")
    async def ready() -> Response:
        """503 while it shuts down or the index is not loaded; independent of Redis and of the services."""
        if service.draining:
            raise Problem(503, "draining", "this replica is shutting down", headers={"Connection": "close"})
        if isinstance(service, Service) and not service.documents.loaded():
            problem = service.documents.status().get("problem") or "it has not been read yet"
            message = f"the index is not loaded: {problem}; loading is retried"
            raise Problem(503, "index_not_loaded", message)
        return json_response({"status": "ready"})

    return routes


def health_wire(service: Service) -> dict[str, Any]:
    """The replica's health, from memory. Error texts stay in the log, because this endpoint needs no key."""
    components = [_component(status) for status in service.rag.get_system_health().values()]
    index = dict(service.documents.status())
    reasons = [
        *_circuit_reasons(components),
        *_redis_reasons(service, components),
        *([str(index["problem"])] if index.get("problem") else []),
    ]
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": service.redactor.redacted_in(reasons),
        "components": components,
        "shared_state": service.circuits.shared_state,
        "replica": service.circuits.replica,
        "version": version(),
        "index": index,
        "quality": service.redactor.redacted_in(service.quality()),
        "draining": service.draining,
    }


def _circuit_reasons(components: Iterable[dict[str, Any]]) -> Iterable[str]:
    for component in components:
        if component["state"] != "closed":
            yield f"circuit {component['circuit']} is {component['state'].replace('_', '-')}"


def _redis_reasons(service: Service, components: Sequence[dict[str, Any]]) -> Iterable[str]:
    if service.shares_state and service.circuits.shared_state != "fresh":
        yield f"the shared state is {service.circuits.shared_state}: {_why_not_fresh(service, components)}"
    for command in service.circuits.limits:
        yield f"Redis refuses {command}"
    yield from service.circuits.warnings


def _why_not_fresh(service: Service, components: Sequence[dict[str, Any]]) -> str:
    if service.circuits.shared_state == "stale":
        return "nothing was heard from Redis for a moment"
    local = [component["circuit"] for component in components if component["shared_state"] == "local"]
    if 0 < len(local) < len(components):  # those of this replica alone are as fresh as the link to Redis
        return f"Redis cannot be used for {', '.join(local)}"
    return "Redis is unreachable"


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
        "last_error": _error_kind(status.last_error),
        "shared_state": status.shared_state,
    }


def _error_kind(error: str) -> str | None:
    """An error without the service's own text: its class, and the HTTP status if there was one."""
    if not error:
        return None
    safe = _SAFE.match(error)
    return safe.group() if safe else error
