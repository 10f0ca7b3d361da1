"""What each configured component is, as a profile of measured quality records it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from ha_rag.interfaces import Embedder
from ha_rag.profiles.profile import ComponentMark
from ha_rag.settings import Settings
from ha_rag.settings.components import by_circuit
from ha_rag.settings.tables import ComponentTable
from ha_rag.strategy.tier import Tier

ABOUT_REACHING_IT = frozenset(
    {
        "name", "kind", "timeout_s", "circuit", "base_url", "api_key_env", "api_key_header", "headers", "request_model",
        "batch_size", "encoding_format", "send_dimension",
    }
)  # fmt: skip
"""Keys of a component's table that change nothing in what it finds or writes."""


def component_marks(settings: Settings, embedders: Iterable[Tier[Embedder]]) -> dict[str, ComponentMark]:
    """Circuit -> what the component is, for every component of the configuration. `embedders`: those built from it."""
    spaces = {f"embedder.{tier.name}": str(tier.component.space) for tier in embedders}
    return {
        circuit: ComponentMark(table.kind, _detail(table, spaces.get(circuit, "")))
        for circuit, table in by_circuit(settings.components)
    }


def _detail(table: ComponentTable, space: str) -> str:
    """Its space or model, and a hash of its settings: they may be long, or not for everybody's eyes."""
    settings = table.model_dump(mode="json", exclude=set(ABOUT_REACHING_IT))
    hashed = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    named = space or str(getattr(table, "model", None) or "")
    return f"{named}, settings {hashed}" if named else f"settings {hashed}"
