"""Whether this process is to write traces: what OpenTelemetry's own variables say of it.

The rest of `OTEL_*` (headers, certificates, sampler, resource, batch sizes) is read by OpenTelemetry itself.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Exporter = Literal["otlp", "console"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """`exporter`: where spans go; None: nowhere. `content`: whether they may hold questions' texts (default: no).

    `problem`: why what was asked for cannot be done, as a sentence, or "".
    """

    exporter: Exporter | None = None
    content: bool = False
    problem: str = ""


def read_tracing(variables: Mapping[str, str] | None = None) -> Tracing:
    """From the environment (default: this process's). Never raises.

    Traces are written only where an exporter or its endpoint is named: by OpenTelemetry's own default every process
    would send to port 4318 of its machine, where mostly nobody listens.
    """
    given = {name: value.strip() for name, value in (os.environ if variables is None else variables).items()}
    named = given.get("OTEL_TRACES_EXPORTER", "").lower()
    wanted = [part.strip() for part in named.split(",") if part.strip()]
    if not wanted and any(given.get(name) for name in ENDPOINTS):
        wanted = ["otlp"]
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true" or wanted in ([], ["none"]):
        return Tracing()
    problem = _problem(wanted, given)
    if problem:
        return Tracing(problem=problem)
    return Tracing(
        exporter="console" if wanted == ["console"] else "otlp",
        content=given.get(CONTENT, "").lower() in ("true", "span_only", "span_and_event"),
    )


def _problem(wanted: list[str], given: Mapping[str, str]) -> str:
    if wanted not in (["otlp"], ["console"]):
        return f"OTEL_TRACES_EXPORTER = {','.join(wanted)!r}: must be otlp, console or none; no traces are written"
    protocol = next((given[name] for name in PROTOCOLS if given.get(name)), "http/protobuf")
    if wanted == ["otlp"] and protocol != "http/protobuf":
        where = "mostly the collector's port 4318"
        return f"{PROTOCOLS[1]} = {protocol!r}: must be http/protobuf ({where}); no traces are written"
    return ""
