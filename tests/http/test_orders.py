"""GET /v1/orders: what orders would do."""

from __future__ import annotations

from ha_rag.breaker.report import OverrideReport
from ha_rag.circuit.state import CircuitState
from tests.http.app_client import report


async def test_each_order_is_told_with_its_effect_the_least_destructive_first(client):
    reply = await client.call("GET", "/v1/orders", query={"circuit": "embedder.primary"})

    assert reply.status == 200
    assert reply.json["circuit"] == "embedder.primary"
    orders = {told["order"]: told for told in reply.json["orders"]}
    assert list(orders) == ["shadow", "closed", "disabled", "open"]
    assert "every call is let through" in orders["shadow"]["effect"]
    assert "further ones" in orders["open"]["effect"]
    assert all(told["in_force"] for told in orders.values())


async def test_an_override_can_be_ended_first(replica, client):
    override = OverrideReport("open", "repairs", "mia", None)
    replica.circuits.reports = {"e.p": report("e.p", state=CircuitState.OPEN, override=override)}

    (ending, *others) = (await client.call("GET", "/v1/orders", query={"circuit": "e.p"})).json["orders"]

    assert ending["order"] == "auto"
    assert "half-open" in ending["effect"]
    assert len(others) == 4


async def test_orders_over_one_of_many_circuits_are_told_too(replica, client):
    replica.circuits.reports = {name: report(name) for name in (f"embedder.t{n}" for n in range(300))}

    reply = await client.call("GET", "/v1/orders", query={"circuit": "embedder.t299"})

    assert [told["order"] for told in reply.json["orders"]] == ["shadow", "closed", "disabled", "open"]


async def test_an_unknown_circuit_is_not_found(client):
    reply = await client.call("GET", "/v1/orders", query={"circuit": "nobody"})

    assert reply.status == 404
    assert "embedder.primary" in reply.error[1]


async def test_a_circuit_must_be_named(client):
    assert (await client.call("GET", "/v1/orders")).error == ("invalid_request", "circuit: is required", "circuit")
