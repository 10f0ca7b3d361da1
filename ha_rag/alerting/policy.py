"""AlertPolicy: when alerts are sent."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ha_rag.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When alerts are sent. Immutable; raises ConfigurationError naming the field, the value and the rule.

    `alert_after_s`: a circuit that is not closed this long after it opened is reported again, as critical.
    `flap_opens` openings within `flap_window_s` are one incident: flapping.
    `degraded_share`: share of degraded answers that is an incident after `degraded_for_s`.
    `redis_after_s`: Redis is reported once it was unreachable this long.
    `group_s`: openings within this time are one message.
    `max_per_hour`: messages per hour, fleet-wide; alerts beyond it are delayed.
    """

    alert_after_s: float = 60.0
    flap_opens: int = 3
    flap_window_s: float = 300.0
    degraded_share: float = 0.5
    degraded_for_s: float = 60.0
    redis_after_s: float = 5.0
    group_s: float = 2.0
    max_per_hour: int = 60

    def __post_init__(self) -> None:
        problems = [text for field in fields(self) if (text := _problem(field.name, getattr(self, field.name)))]
        if problems:
            raise ConfigurationError(*problems)


_COUNTS = {"flap_opens": 2, "max_per_hour": 1}


def _problem(name: str, value: object) -> str | None:
    if name in _COUNTS:
        minimum = _COUNTS[name]
        valid = isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= 100_000
        return None if valid else f"{name} = {value!r}: must be a whole number of at least {minimum}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{name} = {value!r}: must be a number"
    if name == "degraded_share":
        return None if 0 < value <= 1 else f"{name} = {value!r}: must be above 0 and at most 1 (a share)"
    return None if 0 <= value <= 86_400 else f"{name} = {value!r}: must be between 0 and 86400"
