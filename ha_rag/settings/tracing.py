"""Whether this process writes traces, according to OpenTelemetry's environment variables.

OpenTelemetry itself reads the other `OTEL_*` variables (headers, certificates, sampler, resource, batch sizes).

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from ha_rag.redaction import LEAST_PREFIX
from ha_rag.settings.secret import Secret

Exporter = Literal["otlp", "console"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_HEADER = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+\s*=[ !#-+\--:<-\[\]-~]*", re.ASCII)
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """`exporter`: where spans are sent; None: nowhere. `content`: whether spans may contain questions (default: no).

    `headers`: values sent to the collector, mostly tokens. `problem`: why requested traces cannot be written, or "".
    """

    exporter: Exporter | None = None
    content: bool = False
    headers: tuple[Secret, ...] = ()
    problem: str = ""

    @property
    def secrets(self) -> list[str]:
        """The words of the headers that may be tokens: shorter ones are a tenant's name, or "Bearer"."""
        return [word for header in self.headers for word in header.reveal().split() if len(word) >= LEAST_PREFIX]


def read_tracing(variables: Mapping[str, str] | None = None) -> Tracing:
    """The tracing settings of the environment (default: this process's). Never raises.

    Traces are written only if an exporter or an endpoint is set. OpenTelemetry's own default would send them to local
    port 4318, where usually nothing listens.
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
        headers=tuple(
            Secret(unquote(one.partition("=")[2]).strip()) for name in HEADERS for one in _listed(given, name)
        ),
    )


def _problem(wanted: list[str], given: Mapping[str, str]) -> str:
    if wanted not in (["otlp"], ["console"]):
        return f"OTEL_TRACES_EXPORTER = {','.join(wanted)!r}: must be otlp, console or none; no traces are written"
    protocol = next((given[name] for name in PROTOCOLS if given.get(name)), "http/protobuf")
    if wanted == ["otlp"] and protocol != "http/protobuf":
        where = "usually the collector's port 4318"
        return f"{PROTOCOLS[1]} = {protocol!r}: must be http/protobuf ({where}); no traces are written"
    for name in HEADERS:
        if not all(_is_header(one) for one in _listed(given, name)):
            rule = "name=value pairs separated by commas, with special characters percent-encoded"
            return f"{name}: must be {rule} (its value is not shown here); no traces are written"
    return ""


def _listed(given: Mapping[str, str], name: str) -> list[str]:
    return [one.strip() for one in given.get(name, "").split(",") if one.strip()]


def _is_header(text: str) -> bool:
    """Whether OpenTelemetry accepts it (it logs headers that it rejects, secrets included) and HTTP can carry it."""
    value = unquote(text.partition("=")[2])
    return bool(_HEADER.fullmatch(text)) and value.isascii() and value.isprintable()
