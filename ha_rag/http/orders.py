"""GET /v1/orders: what each order over a circuit would do now, said before it is given."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ha_rag.errors import UnknownCircuitError
from ha_rag.http.fleet import STALE_S
from ha_rag.http.openapi import errors
from ha_rag.http.service import DashboardService
from ha_rag.http.wire import json_response
from ha_rag.monitor.consequence import IN_FORCE, consequence, possible_orders
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot
from ha_rag.monitor.watcher import MANY

LONGEST_NAME = 2_000
"""Longer than a circuit's name, which may be a URL."""

CircuitName = Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, description="As in `/v1/circuits`.")]


class OrderReply(BaseModel):
    """One order over a circuit."""

    order: Literal["auto", "shadow", "closed", "disabled", "open"] = Field(
        description="The mode of an override; `auto` ends the one in force."
    )
    effect: str = Field(description="What it would do to this fleet now.")
    in_force: str = Field(description="The circuit while the order is in force, in words.")


class OrdersReply(BaseModel):
    """What can be ordered, the least destructive first."""

    circuit: str
    orders: list[OrderReply]


def order_routes(service: DashboardService) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["circuits"])

    @routes.get(
        "/v1/orders",
        responses={200: {"model": OrdersReply}, **errors(401, 404, 422)},
        summary="What orders over a circuit would do",
    )
    async def orders(circuit: CircuitName) -> Response:
        """Changes nothing. Figures are of about the last ten seconds, of the whole fleet."""
        picture = await service.watcher.recent(STALE_S)
        found = _circuit(picture, circuit)
        many = len(picture.circuits) + len(picture.replicas) > MANY
        told = await asyncio.to_thread(_told, picture, found) if many else _told(picture, found)
        return json_response({"circuit": found.name, "orders": told})

    return routes


def _told(picture: FleetSnapshot, circuit: CircuitPicture) -> list[dict[str, str]]:
    return [
        {"order": order, "effect": consequence(picture, circuit, order), "in_force": IN_FORCE[order]}
        for order in possible_orders(circuit)
    ]


def _circuit(picture: FleetSnapshot, name: str) -> CircuitPicture:
    for circuit in picture.circuits:
        if circuit.name == name:
            return circuit
    raise UnknownCircuitError(name[:128], tuple(circuit.name for circuit in picture.circuits))
