"""The law: what each verb does to a circuit. Pure functions over frozen values; no clock, no I/O, no randomness.

A circuit is changed by six verbs and by nothing else. Reading never changes anything; a verb that refuses changes
nothing either. The same law stands in Lua (`ledger/lua`); a property test holds the two together.

    record    (counting.py) adds outcomes of the current epoch to a closed circuit's window, and opens it if need be
    lease     (probing.py) time up: grants a probe, and only together with a grant makes the circuit half-open
    settle    (probing.py) a probe's end: closes, opens again, or gives the lease back
    override  (overriding.py) an operator's word for everybody
    teach     (teaching.py) restores what a ledger that lost its memory should know
    read      (../snapshot.py) a snapshot

Every transition mints an epoch, empties the window and the votes, and starts the count of good probes anew: what was
counted before it decides nothing after it. An epoch is max(last + 1, ledger time in ms), so histories cannot collide
after a failover. A result is counted only in the epoch that admitted it (gobreaker's generation).
"""

from ha_rag.circuit.rules.counting import SWEEP_EVERY, record
from ha_rag.circuit.rules.model import WOULD_OPEN, Batch, Decision, RestorePoint, Tally, Transition, origin
from ha_rag.circuit.rules.overriding import override
from ha_rag.circuit.rules.probing import lease, lease_wait_ms, settle
from ha_rag.circuit.rules.restoring import missed, restore

__all__ = [
    "SWEEP_EVERY",
    "WOULD_OPEN",
    "Batch",
    "Decision",
    "RestorePoint",
    "Tally",
    "Transition",
    "lease",
    "lease_wait_ms",
    "missed",
    "origin",
    "override",
    "record",
    "restore",
    "settle",
]
