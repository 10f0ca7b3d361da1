"""The rules: what each verb does to a circuit. Pure functions over frozen values; no clock, no I/O, no randomness.

Only these verbs change a circuit; `read` and a verb that refuses change nothing. The Lua scripts in `ledger/lua`
implement the same rules; a property test compares the two.

    record    (counting.py) adds outcomes of the current epoch to a closed circuit's window; may open it
    lease     (probing.py) after the open duration, grants a probe; the first grant makes the circuit half-open
    settle    (probing.py) ends a probe: closes the circuit, opens it again, or only releases the lease
    override  (overriding.py) sets or ends an operator's override
    order     (ordering.py) the same over circuits of one name that each replica has for itself
    restore   (restoring.py) restores a ledger that lost its data from a replica's cached state
    read      (../snapshot.py) returns a snapshot

Every transition starts a new epoch, with an empty window, no votes and no successful probes: what was counted before
it has no effect after it. An epoch is max(last + 1, ledger time in ms), so histories do not collide after a failover.
An outcome counts only in the epoch that admitted its call (gobreaker's generation).
"""

from ha_rag.circuit.rules.counting import SWEEP_EVERY, record
from ha_rag.circuit.rules.model import EXPIRED, WOULD_OPEN, Batch, Decision, RestorePoint, Tally, Transition, origin
from ha_rag.circuit.rules.ordering import expire_order, order
from ha_rag.circuit.rules.overriding import override
from ha_rag.circuit.rules.probing import lease, lease_wait_ms, settle
from ha_rag.circuit.rules.restoring import missed, restore

__all__ = [
    "EXPIRED",
    "SWEEP_EVERY",
    "WOULD_OPEN",
    "Batch",
    "Decision",
    "RestorePoint",
    "Tally",
    "Transition",
    "expire_order",
    "lease",
    "lease_wait_ms",
    "missed",
    "order",
    "origin",
    "override",
    "record",
    "restore",
    "settle",
]
