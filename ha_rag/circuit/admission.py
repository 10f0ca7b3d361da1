"""How much of the traffic a closed circuit lets pass: the ramp after closing, and shedding in a brownout.

Both are off by default. A call that is held back is refused while the circuit stays closed.
"""

from __future__ import annotations

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts

RAMP = (0.1, 0.25, 0.5)
"""Shares that pass in the first three quarters of the ramp; in the last everything passes, as the share is reached."""

ACCEPTS_FACTOR = 1.1
"""K of the SRE book's client-side throttling (ch. 21): how many requests are sent for each one that is accepted.

With the book's usual 2 nothing is shed before half of all calls fail, which is where circuits open anyway; 1.1, its
stricter choice, bears a tenth of failures and sheds from there on (docs/decisions/0005).
"""


def ramp_share(policy: CircuitPolicy, closed_for_s: float) -> float:
    """The share that may pass `closed_for_s` seconds after closing."""
    if policy.ramp_s <= 0 or closed_for_s >= policy.ramp_s:
        return 1.0
    quarter = int(4 * max(0.0, closed_for_s) / policy.ramp_s)
    return RAMP[quarter] if quarter < len(RAMP) else 1.0


def shed_share(policy: CircuitPolicy, counts: Counts) -> float:
    """The share that may pass in a brownout: 1 - max(0, (requests - K accepts) / (requests + 1)).

    `counts` holds calls that were sent, not those that were shed: a service that fails a fifth of whatever it is sent
    would otherwise be sent less and less, down to nothing.
    """
    if not policy.shed:
        return 1.0
    return 1.0 - max(0.0, (counts.samples - ACCEPTS_FACTOR * counts.ok) / (counts.samples + 1))
