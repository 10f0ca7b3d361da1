"""Bounds: what the numbers and texts of a circuit can be. Whatever is beyond them was not written by a replica.

The bounds do not depend on any policy, since replicas with other policies, or of another version, share the store. The
Lua scripts have the same ones (`lua/prelude/bounds.lua`; a test compares the two).
"""

from __future__ import annotations

MAX_WHOLE = 2**53 - 1
"""The largest integer up to which a double, the only number of Lua 5.1, holds every integer."""

MAX_AHEAD_MS = 3_600_000
"""An epoch or a time may be this far ahead of the store's clock, which may have been set back. There is no lower bound:
0 is a circuit that never changed."""

MAX_REST_MS = 30 * 86_400_000 + MAX_AHEAD_MS
"""The longest open duration, lease or override: an override may last 30 days, and the clock may be set back."""

MAX_COUNT = 10**9
"""The most openings or probes in a row, and calls in one bucket of a window."""

MAX_TEXT = 65_536
"""Bytes of a reason or of the name of a replica or an operator."""

MAX_NAME = 300
"""Bytes of the name of a voter or a lease."""

MAX_MEMBERS = 20_000
"""Voters, leases, buckets or batches of one circuit; a key with more of them is deleted."""


def is_beyond(epoch: int, now_ms: int) -> bool:
    """Whether no circuit can have this epoch, or this time, at `now_ms` of the store's clock."""
    return epoch > now_ms + MAX_AHEAD_MS
