"""A replica's caches with Redis (or what REDIS_SERVER names, such as a Valkey) and with a cluster of two nodes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ha_rag.assembly.replica import Replica
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from tests.assembly.services import replica_over_services
from tests.http.app_client import AppClient
from tests.ledger.clusters import two_halves
from tests.redis_servers import RedisProcess
from tests.waiting import until

# Else the thread that is asked first imports it, beside others that parse: pytest parses every module, and Python 3.11
# cannot in two threads at once (https://github.com/python/cpython/issues/106905).
importlib.import_module("ha_rag.components.extraction.unit_reader")

pytestmark = pytest.mark.real_redis
QUESTION = "Who built the bridge?"
DOCUMENT = {"id": "bridge", "text": "Rosa Keller built the bridge over the river Aare in 1894."}


@pytest.fixture(params=["one server", "a cluster"])
def redis_url(request: pytest.FixtureRequest, own_redis_server: RedisProcess, tmp_path: Path) -> Iterator[str]:
    if request.param == "one server":
        yield own_redis_server.url
        return
    with two_halves(tmp_path) as (node, _):
        yield f"redis+cluster://127.0.0.1:{node.port}"


async def asked(replica: Replica) -> dict[str, Any]:
    return dict((await AppClient(replica.app).call("POST", "/v1/query", {"question": QUESTION})).json)


async def test_what_was_answered_is_answered_again_with_every_service_out(tmp_path: Path, redis_url: str) -> None:
    variables = {"HA_RAG_REDIS_URL": redis_url, "HA_RAG_ADMIN_TOKEN": ""}
    async with replica_over_services(tmp_path, variables, more="[cache]\n") as (replica, provider):
        caches = replica.caches
        assert caches.answers is not None
        assert caches.embeddings is not None
        kept = (caches.answers.access.counts, caches.embeddings.access.counts)
        await until(lambda: replica.circuits.reaches_ledger)
        reply = await AppClient(replica.app).call("POST", "/v1/documents", DOCUMENT)
        assert reply.status == 200, reply.json
        good = await asked(replica)
        while not all(counts["kept"] for counts in kept):  # on a busy machine Redis may take longer than the 20 ms
            good = await asked(replica)
        assert (good["degraded"], good["answered"]) == (False, True)
        for target in (Target.EMBEDDINGS, Target.CHAT):
            provider.provider.faults.start(target, Fault(mode=FaultMode.ERROR))

        answer = await asked(replica)
        while answer["served_by"]["generator"] != "cached" or answer["served_by"]["embedder"] != "primary":
            answer = await asked(replica)

    assert answer["answer"].endswith(good["answer"])
    assert answer["citations"] == good["citations"]
    assert answer["degraded_stages"] == ["generator"]
    assert answer["age_s"] >= 0
    assert "embedder.cached" in [attempt["circuit"] for attempt in answer["attempts"]]
    assert answer["quality"] == good["quality"]
