"""Sync: keeps the views of one replica in step with the ledger. All of the I/O, none of the transition rules.

sync.py                starts and stops the parts below; the interface for breakers
loops.py               runs a step again and again, whatever fails
subscription.py        pushed changes, and polls in case a message is lost
reporting.py           batches of outcomes
probing.py             probe leases: requested, settled, returned
restoring.py           restores circuits that the ledger lost
heartbeat.py           heartbeats
upkeep.py              periodic work for each shared circuit
session.py             handles replies and errors of the ledger
link.py                whether the ledger is reachable
pace.py                intervals, which grow with the fleet
denied_permissions.py  permissions that Redis denies
event_publisher.py     events for the sinks
background_tasks.py    tasks on one event loop, started from any thread
"""

from ha_rag.ledger.sync.sync import Sync

__all__ = ["Sync"]
