"""Tracing, plugged in where the environment asks for it and OpenTelemetry is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from yarl import URL

from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.shape import ComponentTable, ServiceTable
from ha_rag.settings.tracing import Tracing, read_tracing

if TYPE_CHECKING:
    from ha_rag.telemetry.traces import Traces

log = logging.getLogger("ha_rag.traces")

OPERATIONS = {
    ComponentType.EMBEDDER: "embeddings",
    ComponentType.RETRIEVER: "retrieval",
    ComponentType.GENERATOR: "chat",
}


def traces_of(settings: Settings, tracing: Tracing | None = None) -> Traces | None:
    """What makes spans of this replica's work; None where nobody asked for any, or where they cannot be made."""
    tracing = read_tracing() if tracing is None else tracing
    if tracing.problem:
        log.warning("%s", tracing.problem)
    if tracing.exporter is None:
        return None
    try:
        from ha_rag.telemetry.exporting import flushed, tracer_provider
        from ha_rag.telemetry.traces import Traces
    except ModuleNotFoundError as error:
        log.warning(
            "the environment asks for traces (OTEL_*), but %s is missing: pip install 'ha-rag[otel]'", error.name
        )
        return None
    hidden = [header.reveal() for header in tracing.headers]
    provider = tracer_provider(tracing.exporter, settings.replica, hidden)

    def flush() -> None:
        if not flushed(provider):
            log.warning("the last spans could not be sent in time: is the collector there?")

    return Traces(provider.get_tracer("ha_rag"), services(settings), content=tracing.content, flush=flush)


def services(settings: Settings) -> dict[str, dict[str, str | int]]:
    """Circuit -> what OpenTelemetry's conventions want to know of the component behind it."""
    listed = {
        ComponentType.EMBEDDER: settings.embedders,
        ComponentType.RETRIEVER: settings.retrievers,
        ComponentType.GENERATOR: settings.generators,
    }
    return {f"{kind}.{table.name}": _attributes(kind, table) for kind, tables in listed.items() for table in tables}


def _attributes(kind: ComponentType, table: ComponentTable) -> dict[str, str | int]:
    made_by = str(getattr(table, "kind", ""))
    told: dict[str, str | int] = {"gen_ai.operation.name": OPERATIONS[kind], "ha_rag.kind": made_by}
    if not isinstance(table, ServiceTable):
        return told | {"gen_ai.provider.name": "ha_rag"}
    url = URL(table.base_url)
    told |= {
        "gen_ai.provider.name": made_by,
        # What it was called before; many a backend still looks for it.
        "gen_ai.system": made_by,
        "gen_ai.request.model": table.model,
        "server.address": url.host or "",
        "server.port": url.port or 0,
    }
    dimension = getattr(table, "dimension", None)
    return told | ({"gen_ai.embeddings.dimension.count": dimension} if dimension else {})
