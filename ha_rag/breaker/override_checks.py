"""An operator's word, checked where it is first given."""

from __future__ import annotations

import math

from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import ConfigurationError

LONGEST_S = 30 * 86_400


def checked_mode(mode: OverrideMode | str) -> OverrideMode:
    """The mode of that name. Raises ConfigurationError."""
    try:
        return OverrideMode(mode)
    except ValueError:
        raise ConfigurationError(f"mode = {mode!r}: must be one of open, closed, disabled, shadow") from None


def checked_for_ms(for_s: float | None) -> int | None:
    """Milliseconds until the word ends by itself; None: until it is ended. Raises ConfigurationError."""
    if for_s is None:
        return None
    if not (math.isfinite(for_s) and 0 < for_s <= LONGEST_S):
        raise ConfigurationError(f"for_s = {for_s!r}: must be above 0 and at most 30 days in seconds")
    return round(for_s * 1000)
