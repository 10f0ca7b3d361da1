"""Orders over circuits: to a replica or front over HTTP, or straight into Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from ha_rag.cli.replica_client import ReplicaClient
from ha_rag.cli.trouble import CommandError
from ha_rag.monitor.consequence import Order


class Orders(Protocol):
    """Gives orders. Blocks while it does; the methods may be called by any thread."""

    def why_not(self, circuit: str) -> str:
        """Why orders are not allowed; "" if they are. Changes nothing. Raises HaRagError if nobody can be asked."""

    def give(self, circuit: str, order: Order, reason: str, for_s: float | None) -> None:
        """Gives an order. Raises HaRagError if it is refused."""


class OrdersOverHttp:
    """Orders to a replica or front, with the client's token."""

    def __init__(self, client: ReplicaClient) -> None:
        self._client = client

    def why_not(self, circuit: str) -> str:
        """Asks with an order that cannot be carried out: who may not give any is told so before it is read."""
        status, message = self._client.status_of("PUT", _path(circuit), {})
        if status in (401, 403):
            return message
        if status in (400, 404, 422):
            return ""
        raise CommandError(message)

    def give(self, circuit: str, order: Order, reason: str, for_s: float | None) -> None:
        """PUT or DELETE of the override."""
        if order == "auto":
            self._client.call("DELETE", _path(circuit))
        else:
            self._client.call("PUT", _path(circuit), {"mode": order, "reason": reason, "for_s": for_s})


class OrdersInRedis:
    """Orders straight into Redis: who may write there may give them. `apply`: writes one, and waits for it."""

    def __init__(self, apply: Callable[[str, Order, str, float | None], Any]) -> None:
        self._apply = apply

    def why_not(self, circuit: str) -> str:
        """Nothing: Redis refuses the order itself if this user may not write."""
        del circuit
        return ""

    def give(self, circuit: str, order: Order, reason: str, for_s: float | None) -> None:
        """Writes the override, or its end."""
        self._apply(circuit, order, reason, for_s)


def _path(circuit: str) -> str:
    return f"/v1/circuits/{quote(circuit, safe='')}/override"
