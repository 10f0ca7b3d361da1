"""Incident: one thing that is wrong, from when it was first told until it is over."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["open", "long_open", "flapping", "replica_lost", "degraded", "redis_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Immutable. `key`: the same for everybody who sees it, and stable while it lasts.

    `since_ms`: Unix ms, by Redis's clock where an event tells it. `critical`: whether it should wake somebody, or be
    read in the morning.
    """

    key: str
    kind: Kind
    subject: str
    title: str
    text: str = ""
    since_ms: int = 0
    critical: bool = False

    def wire(self) -> str:
        """As the store keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def of_wire(cls, text: str) -> Incident | None:
        """As it was kept; None where it is nothing of the kind."""
        try:
            told = json.loads(text)
            return cls(**told) if isinstance(told, dict) else None
        except (ValueError, TypeError):
            return None
