"""Validates the arguments of an override."""

from __future__ import annotations

import math

from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import ConfigurationError

MAX_S = 30 * 86_400


def checked_mode(mode: OverrideMode | str) -> OverrideMode:
    """`mode` as an OverrideMode. Raises ConfigurationError."""
    try:
        return OverrideMode(mode)
    except ValueError:
        raise ConfigurationError(f"mode = {mode!r}: must be one of open, closed, disabled, shadow") from None


def checked_for_ms(for_s: float | None) -> int | None:
    """Milliseconds until the override expires; None: never. Raises ConfigurationError."""
    if for_s is None:
        return None
    if not _is_number(for_s) or not 0 < for_s <= MAX_S:
        raise ConfigurationError(
            f"for_s = {for_s!r}: must be a number of seconds above 0 and at most 2,592,000 (30 days)"
        )
    return round(for_s * 1000)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
