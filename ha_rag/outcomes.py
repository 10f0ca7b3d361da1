"""Outcome: how one attempt ended. The only message that circuits know, so that they need not load the others."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """How one attempt ended. The first four count in the circuit's window; the others do not."""

    OK = "ok"
    SLOW = "slow"
    FAILED = "failed"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    SKIPPED = "skipped"
