"""How a circuit is shared among replicas, and how current a replica's knowledge of it is."""

from __future__ import annotations

import enum
from typing import Literal

Scope = Literal["fleet", "replica"]
"""Whose circuit it is: "fleet" for what guards a service that all replicas call, "replica" for what guards something
inside one process, whose failure must not open everybody's circuit."""


class Freshness(enum.StrEnum):
    """How current a replica's knowledge of the fleet is, best first.

    FRESH: heard within 2.5 polls. STALE: older than that. LOCAL: the replica decides alone, with no ledger behind it.
    """

    FRESH = "fresh"
    STALE = "stale"
    LOCAL = "local"
