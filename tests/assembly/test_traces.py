"""Traces of a complete replica, sent to a collector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.tracing import traces_of
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from ha_rag.telemetry import exporting
from tests.assembly.collector import collecting
from tests.assembly.services import replica_over_services
from tests.http.app_client import AppClient
from tests.ports import free_port
from tests.waiting import PATIENCE_S

QUESTION = {"question": "Who is my doctor?"}
TRACE, CALLER = "4b" * 16, "f0" * 8
SERVER, CLIENT, INTERNAL = 2, 3, 1
MISSING = """
class Nowhere:
    def find_spec(name, path=None, target=None):
        if name in ('opentelemetry.sdk', 'opentelemetry.exporter'):  # the rest comes with the web library
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Nowhere)
"""


ROOT = Path(__file__).parents[2]


@pytest.fixture
def collector(monkeypatch):
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # nothing is sent before the end
        yield running


async def asked(folder, *, fault=None, headers=None, body=QUESTION, path="/v1/query", times=1):
    async with replica_over_services(folder) as (replica, provider):
        if fault is not None:
            provider.provider.faults.start(*fault)
        for _ in range(times):
            reply = await AppClient(replica.app).call("POST", path, body, headers=headers)
        assert reply.status == 200
        return reply, provider.provider.counts.as_json(100)["arrivals"]


async def test_request_stages_and_attempts_form_one_tree_in_the_callers_trace(tmp_path, collector):
    await asked(tmp_path, headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "x-request-id": "abc-1"})

    root = collector.named("POST /v1/query")
    assert (root.parent, root.kind, root.status) == (CALLER, SERVER, "unset")
    assert root.told["http.response.status_code"] == 200
    assert root.told["ha_rag.request.id"] == "abc-1"
    assert (root.told["ha_rag.degraded"], root.told["ha_rag.served_by.embedder"]) == (False, "primary")
    stages = {name: collector.named(name) for name in ("embedder", "retriever", "generator")}
    assert {stage.parent for stage in stages.values()} == {root.id}
    assert collector.named("embeddings text-embedding-3-small").parent == stages["embedder"].id
    assert collector.named("retriever.primary").parent == stages["retriever"].id
    assert collector.named("chat gpt-4o-mini").parent == stages["generator"].id
    assert {span.trace for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 7


async def test_each_service_gets_the_span_of_its_attempt_as_parent(tmp_path, collector):
    _, arrivals = await asked(tmp_path, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})

    embedding, chat = collector.named("embeddings text-embedding-3-small"), collector.named("chat gpt-4o-mini")
    assert [one["traceparent"] for one in arrivals] == [f"00-{TRACE}-{span.id}-01" for span in (embedding, chat)]


async def test_an_attempts_span_has_the_conventional_attributes_and_its_circuit_state(tmp_path, collector):
    await asked(tmp_path)

    embedding = collector.named("embeddings text-embedding-3-small")
    chat = collector.named("chat gpt-4o-mini")
    assert (embedding.kind, chat.kind, collector.named("retriever.primary").kind) == (CLIENT, CLIENT, INTERNAL)
    assert embedding.told | {"server.port": 0} == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.response.model": "text-embedding-3-small",
        "gen_ai.embeddings.dimension.count": 256,
        "gen_ai.usage.input_tokens": embedding.told["gen_ai.usage.input_tokens"],
        "server.address": "127.0.0.1",
        "server.port": 0,
        "ha_rag.kind": "openai",
        "ha_rag.circuit": "embedder.primary",
        "ha_rag.circuit.state": "closed",
        "ha_rag.stage": "embedder",
        "ha_rag.tier": "primary",
        "ha_rag.outcome": "ok",
    }
    assert chat.told["gen_ai.operation.name"] == "chat"
    assert chat.told["gen_ai.response.finish_reasons"] == ["stop"]
    assert chat.told["gen_ai.usage.input_tokens"] > chat.told["gen_ai.usage.output_tokens"] > 0
    assert collector.named("retriever.primary").told["gen_ai.operation.name"] == "retrieval"
    assert collector.resources[0]["service.name"] == "ha_rag"
    assert collector.resources[0]["service.instance.id"] == "rag-1"


async def test_the_request_says_what_quality_was_to_be_expected(tmp_path, collector):
    await asked(tmp_path)

    told = collector.named("POST /v1/query").told
    assert 0 < told["ha_rag.quality.expected"] <= told["ha_rag.quality.best"] <= 1
    assert (told["ha_rag.quality.metric"], told["ha_rag.quality.source"]) == ("ndcg@10", "shipped")
    assert told["ha_rag.quality.measured_on"].startswith("XQuAD (en)")
    assert told["ha_rag.answered"] is False  # the index is empty


async def test_a_failed_attempt_is_an_error_and_a_rejected_one_has_a_span(tmp_path, collector):
    await asked(tmp_path, fault=(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR)), times=2)

    failed = collector.named("embeddings text-embedding-3-small")
    assert (failed.status, failed.told["error.type"], failed.told["ha_rag.outcome"]) == (
        "error", "ServiceError", "failed",
    )  # fmt: skip
    refused = collector.named("embedder.primary")
    assert (refused.status, refused.started_ns) == ("unset", refused.ended_ns)
    assert (refused.told["ha_rag.outcome"], refused.told["ha_rag.circuit.state"]) == ("rejected", "open")
    roots = [span for span in collector.spans if span.name == "POST /v1/query"]
    assert [span.told["ha_rag.degraded_stages"] for span in roots] == [["embedder"]] * 2
    assert {span.status for span in roots} == {"unset"}


async def test_spans_contain_the_question_only_if_that_is_enabled(tmp_path, collector, monkeypatch):
    fault = (Target.CHAT, Fault(mode=FaultMode.ERROR))
    await asked(tmp_path, fault=fault)
    assert collector.spans
    assert not any(b"doctor" in body for body in collector.bodies)

    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    collector.spans.clear()
    await asked(tmp_path, fault=fault)
    assert collector.named("POST /v1/query").told["ha_rag.question"] == QUESTION["question"]


async def test_the_span_of_a_streamed_attempt_ends_with_the_stream(tmp_path, collector):
    body = {"messages": [{"role": "user", "content": "Who is my doctor?"}], "stream": True}
    await asked(tmp_path, path="/v1/chat/completions", body=body)

    chat, stage = collector.named("chat gpt-4o-mini"), collector.named("generator")
    assert chat.told["ha_rag.outcome"] == "ok"
    assert chat.ended_ns >= stage.ended_ns
    assert collector.named("POST /v1/chat/completions").told["ha_rag.broken"] is False


async def test_a_stream_that_is_cut_off_is_an_error_of_its_attempt(tmp_path, collector):
    body = {"messages": [{"role": "user", "content": "Who is my doctor?"}], "stream": True}
    fault = (Target.CHAT, Fault(mode=FaultMode.TRUNCATE))
    await asked(tmp_path, path="/v1/chat/completions", body=body, fault=fault)

    chat = collector.named("chat gpt-4o-mini")
    assert (chat.status, chat.told["ha_rag.outcome"]) == ("error", "failed")
    assert collector.named("POST /v1/chat/completions").told["ha_rag.broken"] is True


async def test_an_unsampled_trace_is_propagated_but_not_written(tmp_path, collector):
    _, arrivals = await asked(tmp_path, headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})

    assert collector.spans == []
    assert {one["traceparent"][:35] + one["traceparent"][-3:] for one in arrivals} == {f"00-{TRACE}-00"}


async def test_resource_and_collector_settings_from_the_environment_are_used(tmp_path, collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "answers")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    await asked(tmp_path)

    assert collector.resources[0]["service.name"] == "answers"
    assert collector.resources[0]["deployment.environment.name"] == "test"
    assert (collector.headers[0]["x-tenant"], collector.headers[0]["path"]) == ("blue", "/v1/traces")


async def test_monitoring_requests_create_no_spans(tmp_path, collector):
    async with replica_over_services(tmp_path) as (replica, _):
        for path in ("/health", "/health/ready", "/metrics", "/v1/circuits", "/v1/fleet", "/nothing"):
            await AppClient(replica.app).call("GET", path)

    assert collector.spans == []


TOO_LATE = "the last spans could not be sent in time; is the collector reachable?"


async def test_a_hanging_collector_delays_no_answer_and_the_shutdown_only_briefly(
    tmp_path, collector, monkeypatch, caplog
):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setattr(exporting, "FLUSH_S", 0.2)
    collector.hang = threading.Event()
    async with replica_over_services(tmp_path) as (replica, _):
        street = AppClient(replica.app)
        await street.call("POST", "/v1/query", QUESTION)
        assert collector.came.wait(PATIENCE_S)
        replies = [await street.call("POST", "/v1/query", QUESTION) for _ in range(20)]

    assert [reply.status for reply in replies] == [200] * 20
    assert not any(reply.json["degraded"] for reply in replies)
    assert not collector.hang.is_set()  # it hung all the while
    assert TOO_LATE in caplog.messages


async def test_a_missing_collector_causes_only_a_log_line(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(exporting, "FLUSH_S", 0.2)
    reply, _ = await asked(tmp_path, times=3)

    assert reply.json["degraded"] is False
    assert TOO_LATE in caplog.messages


@pytest.mark.parametrize("hangs", [False, True])
def test_a_terminated_process_sends_its_last_spans_and_ends_even_without_a_collector(tmp_path, collector, hangs):
    collector.hang = threading.Event() if hangs else None
    command, lines = [sys.executable, "-m", "ha_rag", "serve", "--port", "0"], []
    variables = {**os.environ, "HA_RAG_REPLICA": "rag-1"}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as serving:
        for line in serving.stderr or ():
            lines.append(line)
            if "replica rag-1: http://" in line:
                url = line.split()[-1]
                body = json.dumps(QUESTION).encode()
                asking = urllib.request.Request(f"{url}/v1/query", body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(asking, timeout=PATIENCE_S) as reply:
                    assert reply.status == 200
                assert not collector.came.is_set()
                serving.send_signal(signal.SIGTERM)

    assert serving.returncode == 0
    assert [span.name for span in collector.spans].count("POST /v1/query") == (0 if hangs else 1)
    assert any(TOO_LATE in line for line in lines) is hangs


def test_if_the_otel_extra_is_missing_the_log_says_how_to_install_it(tmp_path, collector, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "ha_rag.telemetry.exporting")

    assert traces_of(load_settings(None, variables={})) is None
    assert "pip install 'ha-rag[otel]'" in caplog.text


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_TRACES_EXPORTER", "otlp,x")],
)
def test_invalid_trace_settings_are_logged_and_the_replica_starts(collector, monkeypatch, caplog, variable, value):
    monkeypatch.setenv(variable, value)

    assert traces_of(load_settings(None, variables={})) is None
    assert f"{variable} = {value!r}: must be" in caplog.text


@pytest.mark.parametrize(("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_disabled_traces_are_not_written(collector, monkeypatch, caplog, variable, value):
    monkeypatch.setenv(variable, value)

    assert traces_of(load_settings(None, variables={})) is None
    assert caplog.messages == []


@pytest.mark.parametrize("installed", [True, False])
def test_a_replica_without_traces_does_not_load_opentelemetry(tmp_path, installed):
    program = (
        "import asyncio, json, sys\n"
        f"{'' if installed else MISSING}\n"
        "from ha_rag.assembly.replica import build_replica\n"
        "from ha_rag.assembly.configuration import load_settings\n"
        "async def main():\n"
        "    async with build_replica(load_settings(None, variables={})).running() as replica:\n"
        "        await replica.rag.query('How?')\n"
        "asyncio.run(main())\n"
        "ours = ('ha_rag.telemetry.traces', 'ha_rag.telemetry.exporting', 'opentelemetry.exporter')\n"
        "print(json.dumps([name for name in sys.modules if name.startswith(ours)]))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
