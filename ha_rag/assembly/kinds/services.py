"""How components that call a service are connected to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.components import circuit_name
from ha_rag.settings.tables import ServiceTable

if TYPE_CHECKING:
    from ha_rag.components.service_config import ServiceConfig

MARGIN_S = 1.0
"""How much longer than its tier a client waits: the tier's timeout ends the call and is counted."""


def service_config(settings: Settings, type_: ComponentType, table: ServiceTable) -> ServiceConfig:
    """The service that `table` describes, with its API key."""
    from ha_rag.components.service_config import ServiceConfig

    key = settings.api_keys_of.get(circuit_name(type_, table))
    return ServiceConfig(
        base_url=table.base_url,
        api_key=key.reveal() if key else None,
        api_key_header=table.api_key_header,
        headers={**table.headers, "X-HA-RAG-Replica": settings.replica},
        timeout_s=table.timeout_s + MARGIN_S,
    )
