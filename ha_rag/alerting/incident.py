"""Incident: one problem, from its first report until it is resolved."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["open", "long_open", "flapping", "replica_lost", "degraded", "redis_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Immutable. `key`: the same in all alerters, and stable while it lasts.

    `since_ms`: Unix ms; by the clock of Redis if it comes from an event. `critical`: needs attention at once.
    """

    key: str
    kind: Kind
    subject: str
    title: str
    text: str = ""
    since_ms: int = 0
    critical: bool = False

    def wire(self) -> str:
        """As JSON, for the store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_wire(cls, text: str) -> Incident | None:
        """Parses the output of `wire`; None if invalid."""
        try:
            fields = json.loads(text)
            return cls(**fields) if isinstance(fields, dict) else None
        except (ValueError, TypeError):
            return None
