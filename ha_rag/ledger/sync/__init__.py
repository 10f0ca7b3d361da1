"""Sync: keeps the views of one replica and the ledger in step. All of the I/O, none of the law.

sync.py         starts and stops it all, and takes what calls want
rounds.py       the four loops, none of which ends over anything that goes wrong in one round
watching.py     what the ledger says: pushed changes, and the poll behind them
reporting.py    what calls ended in: a batch for each circuit, now and then, or at once
probing.py      probes that calls want: asked for, settled, given back
restoring.py    restores a ledger that lost what a replica remembers
pulse.py        heartbeats
upkeep.py       what each circuit wants done every tenth of a second
contact.py      whether the ledger is there, and what it refuses: what each answer means
background.py      work in the background of one event loop, wanted from any thread
"""

from ha_rag.ledger.sync.sync import Sync

__all__ = ["Sync"]
