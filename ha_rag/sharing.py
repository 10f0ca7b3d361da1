"""How a circuit is shared among replicas, and how current a replica's knowledge of it is."""

from __future__ import annotations

from typing import Literal

Scope = Literal["fleet", "replica"]
"""Whose circuit it is: "fleet" for what guards a service that all replicas call, "replica" for what guards something
inside one process, whose failure must not open everybody's circuit."""

Freshness = Literal["fresh", "stale", "local"]
"""How current a belief is: heard within 2.5 polls; older than that; or this replica's own, with no ledger behind it."""
