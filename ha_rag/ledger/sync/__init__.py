"""Sync: keeps the views of one replica in step with the ledger. All of the I/O, none of the transition rules.

sync.py                starts and stops the parts below; the interface for breakers
loops.py               runs a step again and again, whatever fails
subscription.py        pushed changes, and polls in case a message is lost
reporting.py           batches of outcomes
probing.py             probe leases: requested, settled, returned
restoring.py           restores circuits that the ledger lost
heartbeat.py           heartbeats
upkeep.py              periodic work for each shared circuit
trials.py              finds out whether refused verbs are taken again
session.py             handles replies and errors of the ledger
link.py                whether the ledger is reachable
pace.py                intervals, which grow with the fleet
denied_permissions.py  permissions that Redis denies
event_publisher.py     events for the sinks
background_tasks.py    tasks on one event loop, started from any thread
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ha_rag.ledger.sync.sync import Sync

__all__ = ["Sync"]


def __getattr__(name: str) -> Any:
    """Imports `Sync` when it is first used: a circuit that is not shared needs none of it (PEP 562)."""
    if name != "Sync":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ha_rag.ledger.sync.sync import Sync

    globals()[name] = Sync
    return Sync
