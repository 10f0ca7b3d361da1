"""Traces are written only if the environment names an exporter or a collector."""

from __future__ import annotations

import pytest

from ha_rag.settings.tracing import Tracing, read_tracing

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("variables", "tracing"),
    [
        ({}, Tracing()),
        ({"OTEL_SERVICE_NAME": "answers"}, Tracing()),
        (HERE, Tracing(exporter="otlp")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, Tracing(exporter="otlp")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, Tracing()),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Tracing(exporter="otlp")),
        ({"OTEL_TRACES_EXPORTER": "console"}, Tracing(exporter="console")),
        (HERE | {"OTEL_TRACES_EXPORTER": "none"}, Tracing()),
        (HERE | {"OTEL_SDK_DISABLED": "TRUE"}, Tracing()),
        (HERE | {CONTENT: "true"}, Tracing(exporter="otlp", content=True)),
        (HERE | {CONTENT: "SPAN_ONLY"}, Tracing(exporter="otlp", content=True)),
        (HERE | {CONTENT: "no"}, Tracing(exporter="otlp")),
        (HERE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, Tracing(exporter="otlp")),
    ],
)
def test_the_environment_decides_whether_traces_are_written(variables, tracing):
    assert read_tracing(variables) == tracing


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (HERE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc'"),
        (HERE | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "'http/json'"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "'jaeger'"),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, "'otlp,console'"),
    ],
)
def test_unsupported_trace_settings_are_reported_in_a_sentence(variables, named):
    tracing = read_tracing(variables)

    assert tracing.exporter is None
    assert named in tracing.problem
