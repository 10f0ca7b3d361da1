"""Refused: the gate's answer to a call that it does not admit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from ha_rag.circuit.state import CircuitState


@dataclass(frozen=True, slots=True)
class Refused:
    """The call is refused. `retry_after_s`: None if unknown. `ask`: the caller should request a lease now."""

    state: CircuitState
    retry_after_s: float | None
    ask: bool = False

    @classmethod
    def until(cls, state: CircuitState, until_s: float, now_s: float) -> Self:
        """Refused until `until_s` (infinity: unknown). Times in monotonic seconds."""
        return cls(state, None if until_s == math.inf else max(0.0, until_s - now_s))
