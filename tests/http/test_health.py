"""/health for people, /health/live and /health/ready for machines."""

from __future__ import annotations

import pytest

from ha_rag.messages import ComponentType
from ha_rag.strategy.status import ComponentStatus
from tests.http.street import House


def status(state: str, error: str = "") -> ComponentStatus:
    return ComponentStatus(
        circuit="embedder.primary", component_type=ComponentType.EMBEDDER, name="primary", state=state,
        shared_state="fresh", calls=4, failures=1, mean_ms=1.23456, last_error=error,
    )  # fmt: skip


async def test_a_well_replica_is_ok(house, street):
    house.rag.health = {"embedder.primary": status("closed")}

    reply = await street.call("GET", "/health")

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
async def test_a_circuit_that_is_not_closed_degrades_it_and_it_still_answers_200(house, street, state):
    house.rag.health = {"embedder.primary": status(state)}

    reply = await street.call("GET", "/health")

    assert reply.status == 200
    assert (reply.json["status"], reply.json["reasons"]) == (
        "degraded",
        [f"circuit embedder.primary is {state.replace('_', '-')}"],
    )


@pytest.mark.parametrize("freshness", ["stale", "local"])
async def test_redis_out_degrades_it_and_never_makes_it_unready(freshness):
    house = House(options={"shares_state": True})
    house.circuits.shared_state = freshness
    street = house.street()

    assert (await street.call("GET", "/health")).json["status"] == "degraded"
    assert (await street.call("GET", "/health/ready")).status == 200


async def test_alone_on_purpose_is_no_shortcoming(house, street):
    house.circuits.shared_state = "local"

    assert (await street.call("GET", "/health")).json["status"] == "ok"


async def test_an_index_in_trouble_degrades_it(house, street):
    house.documents.problem = "the index at .ha_rag is gone"

    assert (await street.call("GET", "/health")).json["reasons"] == ["the index at .ha_rag is gone"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("", None),
        ("ServiceError: HTTP 401: wrong key sk-secret for 'Who is my doctor?'", "ServiceError: HTTP 401"),
        ("ServiceError: cannot connect to 10.0.0.7:9100 (refused)", "ServiceError"),
        ("ThrottledError: HTTP 429: slow down (retry after 2 s)", "ThrottledError: HTTP 429"),
        ("no reply within 1.000 s", "no reply within 1.000 s"),
    ],
)
async def test_the_last_error_is_told_by_its_kind_and_a_service_s_own_words_stay_inside(house, street, error, told):
    house.rag.health = {"embedder.primary": status("open", error=error)}

    (component,) = (await street.call("GET", "/health")).json["components"]

    assert component["last_error"] == told


async def test_a_replica_whose_index_could_not_be_loaded_is_alive_and_not_ready(house, street):
    house.documents.readable, house.documents.problem = False, "the index at .ha_rag cannot be read"

    ready = await street.call("GET", "/health/ready")

    assert (ready.status, ready.error[0]) == (503, "index_not_loaded")
    assert (await street.call("GET", "/health/live")).status == 200
    assert (await street.call("GET", "/health")).json["status"] == "degraded"


async def test_a_replica_that_shuts_down_is_alive_and_not_ready(house, street):
    house.service.draining = True

    ready = await street.call("GET", "/health/ready")

    assert (ready.status, ready.error[0]) == (503, "draining")
    assert (await street.call("GET", "/health/live")).status == 200
    assert (await street.call("POST", "/v1/query", {"question": "How?"})).status == 200


async def test_health_needs_no_key():
    from ha_rag.http.access import Access

    street = House(options={"access": Access(api_keys=("key",))}).street()

    assert [(await street.call("GET", path)).status for path in ("/health", "/health/live", "/health/ready")] == [
        200
    ] * 3


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/", "/docs"])
async def test_a_monitor_may_ask_with_head(street, path):
    told, asked = await street.call("GET", path), await street.call("HEAD", path)

    assert (asked.status, asked.headers["content-length"]) == (told.status, str(len(told.body)))
    assert asked.body == b""


async def test_head_elsewhere_is_refused(street):
    assert (await street.call("HEAD", "/v1/circuits")).status == 405
