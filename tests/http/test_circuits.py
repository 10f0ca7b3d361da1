"""/v1/circuits and /v1/fleet."""

from __future__ import annotations

import pytest

from ha_rag.breaker.report import Here, ReplicaReport
from ha_rag.breaker.told_by_replicas import StateThere
from ha_rag.circuit.state import CircuitState
from tests.http.app_client import report


async def test_all_circuits_are_listed_with_all_their_fields(replica, client):
    replica.circuits.reports = {
        "embedder.primary": report(
            "embedder.primary", state=CircuitState.OPEN, epoch=7, failure_rate=0.8, samples=5, recovers_in_s=4.5,
            reason="4 of 5 calls failed", opened_by="rag-2", voters=("rag-2",), open_count=1, changed_at=1.5,
            here=Here(CircuitState.OPEN, "overlay", 2.5), differing=(StateThere("rag-2", CircuitState.OPEN),),
            unconfirmed=1,
        )
    }  # fmt: skip

    reply = await client.call("GET", "/v1/circuits")

    assert reply.json == {
        "circuits": [
            {
                "name": "embedder.primary", "state": "open", "override": None, "epoch": 7, "failure_rate": 0.8,
                "slow_rate": 0.0, "samples": 5, "recovers_in_s": 4.5, "reason": "4 of 5 calls failed",
                "opened_by": "rag-2", "voters": ["rag-2"], "open_count": 1, "changed_at": 1.5, "scope": "fleet",
                "here": {"state": "open", "why": "overlay", "recovers_in_s": 2.5},
                "differing": [{"replica": "rag-2", "state": "open"}], "unconfirmed": 1,
            }
        ],
        "shared_state": "fresh",
        "replica": "rag-1",
    }  # fmt: skip


async def test_one_circuit_is_found_by_its_name(client):
    assert (await client.call("GET", "/v1/circuits/generator.primary")).json["name"] == "generator.primary"


@pytest.mark.parametrize("name", ["shop.example:443", "https://api.example/v1?a=b", "the payment service", "\u00fcber"])
async def test_a_circuit_of_any_name_is_shown_and_overridden(replica, client, name):
    replica.circuits.reports = {name: report(name)}
    path = f"/v1/circuits/{name}"  # servers decode it
    assert (await client.call("GET", path)).json["name"] == name
    body = {"mode": "open", "reason": "x"}
    assert (await client.call("PUT", f"{path}/override", body)).json["override"]["mode"] == "open"
    assert (await client.call("DELETE", f"{path}/override")).json["override"] is None
    assert (await client.call("GET", f"{path}/override")).status == 405


@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("PUT", "/override"), ("DELETE", "/override")])
async def test_an_unknown_circuit_is_a_404_that_lists_the_known_ones(client, method, more):
    body = {"mode": "open", "reason": "x"} if method == "PUT" else None
    reply = await client.call(method, f"/v1/circuits/nobody{more}", body)

    assert reply.status == 404
    assert "there are embedder.primary, generator.primary" in reply.error[1]


@pytest.mark.parametrize("mode", ["open", "closed", "disabled", "shadow"])
async def test_an_override_has_author_reason_and_expiry(client, mode):
    body = {"mode": mode, "reason": "maintenance", "for_s": 60.0}

    reply = await client.call("PUT", "/v1/circuits/embedder.primary/override", body)

    override = {"mode": mode, "reason": "maintenance", "by": "operator at 127.0.0.1", "ends_in_s": 60.0}
    assert reply.json["override"] == override
    assert (await client.call("GET", "/v1/circuits/embedder.primary")).json["override"] == override


async def test_an_override_ends_when_it_is_deleted(client):
    path = "/v1/circuits/embedder.primary/override"
    await client.call("PUT", path, {"mode": "open", "reason": "x"})

    assert (await client.call("DELETE", path)).json["override"] is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"reason": "x"}, "mode"),
        ({"mode": "off", "reason": "x"}, "mode"),
        ({"mode": "open"}, "reason"),
        ({"mode": "open", "reason": ""}, "reason"),
        ({"mode": "open", "reason": "x" * 501}, "reason"),
        ({"mode": "open", "reason": " \n\x00 "}, "reason"),
        ({"mode": "open", "reason": "x", "for_s": 0}, "for_s"),
        ({"mode": "open", "reason": "x", "for_s": 1e9}, "for_s"),
        ({"mode": "open", "reason": "x", "until": 1}, "until"),
    ],
)
async def test_an_invalid_override_is_refused_with_its_field(replica, client, body, param):
    reply = await client.call("PUT", "/v1/circuits/embedder.primary/override", body)

    assert (reply.status, reply.error[2]) == (422, param)
    assert replica.circuits.reports["embedder.primary"].override is None


async def test_a_reason_is_made_one_line(replica, client):
    body = {"mode": "open", "reason": "rain\r\n12:00:00 INFO all is well\x1b[2J\u2028"}

    await client.call("PUT", "/v1/circuits/embedder.primary/override", body)

    override = replica.circuits.reports["embedder.primary"].override
    assert override.reason == "rain  12:00:00 INFO all is well [2J"


async def test_the_fleet_lists_its_replicas_and_warnings(replica, client):
    replica.circuits.beats = (
        ReplicaReport("a~1", "a", 5000, {"version": "1.0", "shared_state": "fresh", "policies": {"e.p": "x"}}),
        ReplicaReport("a~2", "a", 4000, {"policies": {"e.p": "y"}}),
        ReplicaReport("b~1", "b", 5000, {"policies": "nonsense"}),
    )

    fleet = (await client.call("GET", "/v1/fleet")).json

    assert [(each["name"], each["behind_s"]) for each in fleet["replicas"]] == [("a", 0.0), ("a", 1.0), ("b", 0.0)]
    assert fleet["warnings"] == [
        "2 replicas are called a; give each its own HA_RAG_REPLICA",
        "replicas have different rules for circuit e.p: a against a",
    ]
