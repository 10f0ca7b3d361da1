"""/health, /health/live and /health/ready."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.messages import ComponentType
from ha_rag.strategy.status import ComponentStatus
from tests.http.app_client import StubReplica


def status(state: str, error: str = "") -> ComponentStatus:
    return ComponentStatus(
        circuit="embedder.primary", component_type=ComponentType.EMBEDDER, name="primary", state=state,
        shared_state="fresh", calls=4, failures=1, mean_ms=1.23456, last_error=error,
    )  # fmt: skip


async def test_a_healthy_replica_is_ok(replica, client):
    replica.rag.health = {"embedder.primary": status("closed")}

    reply = await client.call("GET", "/health")

    assert reply.status == 200
    assert (reply.json["status"], reply.json["reasons"], reply.json["shared_state"]) == ("ok", [], "fresh")
    assert reply.json["components"] == [
        {
            "circuit": "embedder.primary", "type": "embedder", "name": "primary", "state": "closed", "calls": 4,
            "failures": 1, "failure_rate": 0.25, "rejected": 0, "mean_ms": 1.235, "p99_ms": 0.0, "last_error": None,
            "shared_state": "fresh",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["open", "half_open"])
async def test_a_circuit_that_is_not_closed_degrades_health_with_status_200(replica, client, state):
    replica.rag.health = {"embedder.primary": status(state)}

    reply = await client.call("GET", "/health")

    assert reply.status == 200
    assert (reply.json["status"], reply.json["reasons"]) == (
        "degraded",
        [f"circuit embedder.primary is {state.replace('_', '-')}"],
    )


@pytest.mark.parametrize("freshness", ["stale", "local"])
async def test_an_unreachable_redis_degrades_health_but_not_readiness(freshness):
    replica = StubReplica(options={"shares_state": True})
    replica.circuits.shared_state = freshness
    client = replica.client()

    assert (await client.call("GET", "/health")).json["status"] == "degraded"
    assert (await client.call("GET", "/health/ready")).status == 200


@pytest.mark.parametrize(
    ("freshness", "of_components", "reason"),
    [
        ("stale", ("fresh", "stale"), "the shared state is stale: nothing was heard from Redis for a moment"),
        ("local", ("local", "local"), "the shared state is local: Redis is unreachable"),
        ("local", (), "the shared state is local: Redis is unreachable"),
        ("local", ("fresh", "local"), "the shared state is local: Redis cannot be used for c1"),
    ],
)
async def test_health_says_why_the_shared_state_is_not_fresh(freshness, of_components, reason):
    replica = StubReplica(options={"shares_state": True})
    replica.circuits.shared_state = freshness
    replica.rag.health = {
        f"c{n}": replace(status("closed"), circuit=f"c{n}", shared_state=told) for n, told in enumerate(of_components)
    }

    assert (await replica.client().call("GET", "/health")).json["reasons"] == [reason]


async def test_a_replica_without_a_configured_redis_is_ok(replica, client):
    replica.circuits.shared_state = "local"

    assert (await client.call("GET", "/health")).json["status"] == "ok"


async def test_a_problem_of_the_index_degrades_health(replica, client):
    replica.documents.problem = "the index at .ha_rag is gone"

    assert (await client.call("GET", "/health")).json["reasons"] == ["the index at .ha_rag is gone"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("", None),
        ("ServiceError: HTTP 401: wrong key sk-secret for 'Who is my doctor?'", "ServiceError: HTTP 401"),
        ("ServiceError: cannot connect to 10.0.0.7:9100 (refused)", "ServiceError"),
        ("ThrottledError: HTTP 429: slow down (retry after 2 s)", "ThrottledError: HTTP 429"),
        ("no reply within 1.000 s", "no reply within 1.000 s"),
    ],
)
async def test_the_last_error_shows_its_kind_but_not_the_service_s_text(replica, client, error, shown):
    replica.rag.health = {"embedder.primary": status("open", error=error)}

    (component,) = (await client.call("GET", "/health")).json["components"]

    assert component["last_error"] == shown


async def test_a_replica_whose_index_could_not_be_loaded_is_alive_but_not_ready(replica, client):
    replica.documents.readable, replica.documents.problem = False, "the index at .ha_rag cannot be read"

    ready = await client.call("GET", "/health/ready")

    assert (ready.status, ready.error[0]) == (503, "index_not_loaded")
    assert (await client.call("GET", "/health/live")).status == 200
    assert (await client.call("GET", "/health")).json["status"] == "degraded"


async def test_a_replica_that_shuts_down_is_alive_but_not_ready(replica, client):
    replica.service.draining = True

    ready = await client.call("GET", "/health/ready")

    assert (ready.status, ready.error[0]) == (503, "draining")
    assert (await client.call("GET", "/health/live")).status == 200
    assert (await client.call("POST", "/v1/query", {"question": "How?"})).status == 200


async def test_health_needs_no_key():
    from ha_rag.http.access import Access

    client = StubReplica(options={"access": Access(api_keys=("key",))}).client()

    assert [(await client.call("GET", path)).status for path in ("/health", "/health/live", "/health/ready")] == [
        200
    ] * 3


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/", "/docs"])
async def test_head_has_the_same_headers_as_get_and_no_body(client, path):
    get, head = await client.call("GET", path), await client.call("HEAD", path)

    assert (head.status, head.headers["content-length"]) == (get.status, str(len(get.body)))
    assert head.body == b""


async def test_head_is_refused_where_get_does_not_end(client):
    assert (await client.call("HEAD", "/v1/events")).status == 405
