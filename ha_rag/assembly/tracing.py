"""Enables tracing if the environment asks for it and OpenTelemetry is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from yarl import URL

from ha_rag.extras import missing_extra
from ha_rag.messages import ComponentType
from ha_rag.redaction import Redactor
from ha_rag.settings import Settings
from ha_rag.settings.components import circuit_name
from ha_rag.settings.tables import ComponentTable, ServiceTable
from ha_rag.settings.tracing import Tracing, read_tracing

if TYPE_CHECKING:
    from ha_rag.telemetry.traces import Traces

log = logging.getLogger("ha_rag.traces")

OPERATIONS = {
    ComponentType.EMBEDDER: "embeddings",
    ComponentType.RETRIEVER: "retrieval",
    ComponentType.RERANKER: "rerank",
    ComponentType.GENERATOR: "chat",
}


def traces_of(settings: Settings, tracing: Tracing | None = None) -> Traces | None:
    """The object that creates this replica's spans; None if tracing is not enabled or not possible."""
    tracing = read_tracing() if tracing is None else tracing
    if tracing.problem:
        log.warning("%s", tracing.problem)
    if tracing.exporter is None:
        return None
    try:
        from ha_rag.telemetry.exporting import shut_down, tracer_provider
        from ha_rag.telemetry.traces import Traces
    except ModuleNotFoundError as error:
        log.warning("the environment enables traces (OTEL_*): %s", missing_extra("tracing", error) or error)
        return None
    provider = tracer_provider(tracing.exporter, settings.replica, Redactor(tracing.secrets))

    def flush() -> None:
        if not shut_down(provider):
            log.warning("the last spans could not be sent in time; is the collector reachable?")

    return Traces(provider.get_tracer("ha_rag"), services(settings), content=tracing.content, flush=flush)


def services(settings: Settings) -> dict[str, dict[str, str | int]]:
    """Circuit name -> the span attributes of its component, by OpenTelemetry's conventions for generative AI."""
    return {
        circuit_name(type_, table): _attributes(type_, table)
        for type_, tables in settings.components.items()
        for table in tables
    }


def _attributes(type_: ComponentType, table: ComponentTable) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {"gen_ai.operation.name": OPERATIONS[type_], "ha_rag.kind": table.kind}
    if not isinstance(table, ServiceTable):
        return attributes | {"gen_ai.provider.name": "ha_rag"}
    url = URL(table.base_url)
    attributes |= {
        "gen_ai.provider.name": table.kind,
        "gen_ai.system": table.kind,  # the former name of gen_ai.provider.name, which many backends still use
        "gen_ai.request.model": table.model,
        "server.address": url.host or "",
        "server.port": url.port or 0,
    }
    dimension = getattr(table, "dimension", None)
    return attributes | ({"gen_ai.embeddings.dimension.count": dimension} if dimension else {})
