"""How a circuit is shared among replicas, and how current a replica's cached state is."""

from __future__ import annotations

import enum
from typing import Literal

Scope = Literal["fleet", "replica"]
"""Who shares a circuit: "fleet" if it guards a service that all replicas call, "replica" if it guards something inside
one process, whose failures must not open the circuit of other replicas."""


class Freshness(enum.StrEnum):
    """How current a replica's cached state of the fleet is, best first.

    FRESH: confirmed within 2.5 poll intervals. STALE: older. LOCAL: the replica decides alone, without the ledger.
    """

    FRESH = "fresh"
    STALE = "stale"
    LOCAL = "local"
