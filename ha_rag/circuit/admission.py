"""The share of calls that a closed circuit admits: the ramp after closing, and load shedding during a brownout.

Both are off by default. A call outside that share is refused while the circuit stays closed.
"""

from __future__ import annotations

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts

RAMP = (0.1, 0.25, 0.5)
"""The shares admitted in the first three quarters of the ramp. The last quarter admits every call."""

ACCEPTS_FACTOR = 1.1
"""K of the SRE book's client-side throttling (ch. 21): requests sent for each one that is accepted.

With the book's default of 2, shedding starts at a failure rate of 50 %, where circuits open anyway. With its stricter
value of 1.1 it starts at about 10 % (docs/decisions/0005).
"""


def ramp_share(policy: CircuitPolicy, closed_for_s: float) -> float:
    """The share of calls admitted `closed_for_s` seconds after closing."""
    if policy.ramp_s <= 0 or closed_for_s >= policy.ramp_s:
        return 1.0
    quarter = int(4 * max(0.0, closed_for_s) / policy.ramp_s)
    return RAMP[quarter] if quarter < len(RAMP) else 1.0


def shed_share(policy: CircuitPolicy, counts: Counts) -> float:
    """The share of calls admitted during a brownout: 1 - max(0, (requests - K accepts) / (requests + 1)).

    `counts` must not include calls that were shed. If it did, a service with a constant failure rate would be sent
    less and less, down to nothing.
    """
    if not policy.shed:
        return 1.0
    return 1.0 - max(0.0, (counts.samples - ACCEPTS_FACTOR * counts.ok) / (counts.samples + 1))
