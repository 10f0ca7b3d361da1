"""A complete replica built from settings: it answers and shuts down cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ha_rag.assembly import replica as replica_module
from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.gauges import gauges
from ha_rag.assembly.ingesting import ingest_into
from ha_rag.assembly.replica import build_replica, serve
from ha_rag.errors import ConfigurationError
from ha_rag.index.removal import remove_documents
from ha_rag.settings import Settings
from tests.http.app_client import AppClient
from tests.waiting import until

TEXT = "# Recovery\n\nA circuit recovers when its timeout is over and two probes in a row succeed.\n"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recovery.md").write_text(TEXT)
    return load_settings(variables={"HA_RAG_REPLICA": "rag-1"})


async def test_the_defaults_answer_a_question_from_ingested_documents(settings, tmp_path):
    await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)

    async with build_replica(settings).running() as replica:
        reply = await AppClient(replica.app).call("POST", "/v1/query", {"question": "When does a circuit recover?"})

    assert reply.status == 200
    assert "two probes in a row" in reply.json["answer"]
    assert reply.json["served_by"] == {"embedder": "primary", "retriever": "primary", "generator": "extractive"}
    assert (reply.json["degraded"], reply.json["replica"]) == (False, "rag-1")
    assert reply.json["citations"][0]["document"] == "recovery.md"


async def test_without_an_index_there_is_still_an_answer(settings):
    async with build_replica(settings).running() as replica:
        reply = await AppClient(replica.app).call("POST", "/v1/query", {"question": "When does a circuit recover?"})
        ready = await AppClient(replica.app).call("GET", "/health/ready")

    assert (reply.status, ready.status) == (200, 200)
    assert reply.json["answer"]
    assert reply.json["citations"] == []


async def test_documents_added_and_deleted_over_http_take_effect_at_once(settings):
    async with build_replica(settings).running() as replica:
        street = AppClient(replica.app)
        added = await street.call("POST", "/v1/documents", {"id": "zebra", "text": "Zebras sleep standing up."})
        found = await street.call("POST", "/v1/query", {"question": "How do zebras sleep?"})
        deleted = await street.call("DELETE", "/v1/documents/zebra")
        gone = await street.call("POST", "/v1/query", {"question": "How do zebras sleep?"})

    assert (added.status, deleted.status) == (200, 200)
    assert added.json == {"document": "zebra", "passages": 1, "replaced": False, "missing": {}}
    assert [citation["document"] for citation in found.json["citations"]] == ["zebra"]
    assert gone.json["citations"] == []


async def test_an_uploaded_file_is_found_listed_and_forgotten_by_another_process(settings):
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="zebra.md"\r\n\r\n'
        b"---\nauthor: Anna\n---\n# Zebras\n\nZebras sleep standing up.\r\n--x--\r\n"
    )
    async with build_replica(settings).running() as replica:
        street = AppClient(replica.app)
        kind = {"content-type": "multipart/form-data; boundary=x"}
        added = await street.call("POST", "/v1/documents", form, headers=kind)
        found = await street.call("POST", "/v1/query", {"question": "How do zebras sleep?"})
        listed = await street.call("GET", "/v1/documents", query={"words": "zebra", "state": "searchable"})
        shown = await street.call("GET", "/v1/documents/zebra.md")
        remove_documents(settings.index_folder, ["zebra.md"])
        await until(lambda: replica.index.documents == 0)
        gone = await street.call("POST", "/v1/query", {"question": "How do zebras sleep?"})
        unlisted = await street.call("GET", "/v1/documents")

    assert added.json["files"][0]["documents"][0]["document"] == "zebra.md"
    assert [citation["document"] for citation in found.json["citations"]] == ["zebra.md"]
    assert [(one["id"], one["origin"], one["passages"]) for one in listed.json["documents"]] == [
        ("zebra.md", "http", 1)
    ]
    assert (shown.json["metadata"], "author" in shown.json["texts"][0]["text"]) == ({"author": "Anna"}, False)
    assert gone.json["citations"] == []
    assert unlisted.json == {"documents": [], "total": 0, "next": None}


async def test_the_first_question_after_an_ingest_in_another_process_finds_its_documents(settings, tmp_path):
    async with build_replica(settings).running() as replica:
        await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)
        await until(lambda: replica.index.documents == 1)
        reply = await AppClient(replica.app).call("POST", "/v1/query", {"question": "When does a circuit recover?"})

    assert "two probes in a row" in reply.json["answer"]


async def test_the_answer_is_streamed_to_openai_clients(settings, tmp_path):
    await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)
    body = {"messages": [{"role": "user", "content": "When does a circuit recover?"}], "stream": True}

    async with build_replica(settings).running() as replica:
        reply = await AppClient(replica.app).call("POST", "/v1/chat/completions", body)
        empty = await AppClient(replica.app).call("POST", "/v1/chat/completions", {"messages": [{"role": "user"}]})

    assert reply.status == 200
    assert b"two probes in a row" in reply.body
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert (empty.status, empty.error[1]) == (422, "messages[0].content: the last user message must not be empty")


async def test_an_override_sends_questions_to_the_next_tier(settings, tmp_path):
    await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)

    async with build_replica(settings).running() as replica:
        street = AppClient(replica.app)
        await street.call("PUT", "/v1/circuits/embedder.primary/override", {"mode": "open", "reason": "a test"})
        reply = await street.call("POST", "/v1/query", {"question": "When does a circuit recover?"})
        health = await street.call("GET", "/health")

    assert (reply.json["degraded_stages"], reply.json["served_by"]["embedder"]) == (["embedder"], "secondary")
    assert reply.json["attempts"][0]["outcome"] == "rejected"
    assert health.json["reasons"] == ["circuit embedder.primary is open"]


async def test_an_ingest_respects_open_circuits_and_leaves_the_fleet_afterwards(tmp_path, monkeypatch, redis_server):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recovery.md").write_text(TEXT)
    settings = load_settings(variables={"HA_RAG_REDIS_URL": redis_server.url, "HA_RAG_REPLICA": "rag-1"})

    report = await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)

    async with build_replica(settings).running() as replica:
        fleet = await replica.circuits.fleet()
    assert (report.added, report.complete) == (1, True)
    assert [one.name for one in fleet.replicas] == ["rag-1"]


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def blas_with_two_threads():
    with threadpool_limits(limits=2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS cannot be told how many threads to use")
        yield


async def test_an_ingest_leaves_blas_no_threads_of_its_own(settings, tmp_path, blas_with_two_threads):
    await ingest_into(settings, [tmp_path / "recovery.md"], lambda step: None)

    assert blas_threads() == {1}


async def test_the_gauges_tell_how_many_tasks_have_not_ended(settings):
    replica = build_replica(settings)
    tasks = gauges(replica.circuits, replica.service).tasks
    before = tasks()
    more = [asyncio.create_task(asyncio.sleep(0)) for _ in range(5)]
    assert tasks() == before + 5
    await asyncio.gather(*more)
    assert tasks() == before


@pytest.mark.parametrize(
    ("variables", "bounded"),
    [({}, True), ({"MALLOC_ARENA_MAX": "8"}, False), ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=8"}, False)],
)
async def test_a_replica_bounds_what_malloc_keeps_unless_the_environment_sets_it(
    tmp_path, monkeypatch, variables, bounded
):
    monkeypatch.chdir(tmp_path)
    calls: list[str] = []
    monkeypatch.setattr(replica_module, "give_memory_back", lambda: calls.append("bounded"))
    with pytest.raises(ConfigurationError, match="cannot listen"):
        await serve(load_settings(variables=variables).listening_on("203.0.113.1", None))
    assert calls == ["bounded"] * bounded


async def test_a_replica_leaves_blas_no_threads_of_its_own(settings, blas_with_two_threads):
    with pytest.raises(ConfigurationError, match="cannot listen"):
        await serve(settings.listening_on("203.0.113.1", None))

    assert blas_threads() == {1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_served_replica_shuts_down_cleanly(tmp_path, number):
    environment = {"PATH": os.environ["PATH"], "HA_RAG_REPLICA": "rag-1"}
    lines = []
    command = [sys.executable, "-m", "ha_rag", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        for line in serving.stderr or ():
            lines.append(line)
            if "replica rag-1: http://127.0.0.1:" in line:
                serving.send_signal(number)

    assert serving.returncode == 0
    assert f"stopping ({number.name})" in lines[-1]
