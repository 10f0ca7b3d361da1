"""Health endpoints of a complete replica: what they report, what they cost, and when a replica is ready."""

from __future__ import annotations

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import build_replica
from ha_rag.index.schema import DATABASE
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from tests.assembly.services import replica_over_services
from tests.http.app_client import AppClient
from tests.ports import free_port
from tests.waiting import until

QUESTION = {"question": "Who is my doctor?"}
PATHS = ("/health", "/health/ready", "/health/live", "/metrics", "/v1/circuits", "/v1/fleet")


def received(provider):
    counts = provider.provider.counts.as_json(0)
    return {target: counts[target]["received"] for target in ("embeddings", "chat")}


@pytest.mark.parametrize("broken", [False, True])
async def test_health_checks_never_call_a_service(tmp_path, broken):
    async with replica_over_services(tmp_path) as (replica, provider):
        street = AppClient(replica.app)
        if broken:
            provider.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
        await street.call("POST", "/v1/query", QUESTION)
        before = received(provider)
        if broken:  # and even when the circuit is ready to be probed
            await until(lambda: replica.circuits.breaker("embedder.primary").state == "half_open")
        for _ in range(20):
            for path in PATHS:
                assert (await street.call("GET", path)).status == 200
            replica.rag.get_system_health()

        # Another question shows that counting goes on, and gives whatever was set off meanwhile the time to arrive.
        await street.call("POST", "/v1/query", QUESTION)

        assert before == {"embeddings": 1, "chat": 1}
        assert received(provider) == {"embeddings": 2, "chat": 2}


async def test_health_reports_the_outcomes_of_each_components_calls(tmp_path):
    async with replica_over_services(tmp_path) as (replica, provider):
        street = AppClient(replica.app)
        provider.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
        await street.call("POST", "/v1/query", QUESTION)
        told = (await street.call("GET", "/health")).json
        health = replica.rag.get_system_health()

    by_circuit = {component["circuit"]: component for component in told["components"]}
    assert list(by_circuit) == list(health)
    failed, served = by_circuit["embedder.primary"], by_circuit["embedder.secondary"]
    assert (failed["calls"], failed["failures"], failed["failure_rate"]) == (1, 1, 1.0)
    assert failed["last_error"] == "ServiceError: HTTP 500"
    assert health["embedder.primary"].last_error.startswith("ServiceError: HTTP 500: ")
    assert (served["calls"], served["failures"], served["last_error"]) == (1, 0, None)
    assert 0 < served["mean_ms"] <= served["p99_ms"]
    assert told["status"] == "degraded"
    assert told["reasons"][0].startswith("circuit embedder.primary is ")


async def test_without_redis_and_services_a_replica_is_degraded_but_ready(tmp_path):
    gone = {"HA_RAG_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    async with replica_over_services(tmp_path, gone) as (replica, provider):
        street = AppClient(replica.app)
        for target in Target:
            provider.provider.faults.start(target, Fault(mode=FaultMode.RESET))
        await street.call("POST", "/v1/query", QUESTION)
        ready, told = await street.call("GET", "/health/ready"), (await street.call("GET", "/health")).json

    assert ready.status == 200
    assert (told["status"], told["shared_state"]) == ("degraded", "local")
    assert "the shared state is local: Redis is unreachable" in told["reasons"]


async def test_a_replica_is_not_ready_until_its_index_can_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, variables={})
    folder = tmp_path / settings.index_folder
    folder.mkdir(parents=True)
    (folder / DATABASE).write_bytes(b"no database at all " * 100)

    async with build_replica(settings).running() as replica:
        street = AppClient(replica.app)
        assert (await street.call("GET", "/health/ready")).error[0] == "index_not_loaded"
        assert (await street.call("GET", "/health")).json["reasons"]
        assert (await street.call("POST", "/v1/query", QUESTION)).status == 200  # asked all the same, it answers
        (folder / DATABASE).unlink()
        await until(lambda: replica.index.loaded)
        assert (await street.call("GET", "/health/ready")).status == 200
