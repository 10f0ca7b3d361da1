"""How long property tests look for a history that breaks something.

As shipped they fit into `make test`. `make test-deep` looks DEPTH times as long (20 unless told).
HYPOTHESIS_PROFILE=mutants asks only whether there is such a history, and does not look for the shortest one.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "")
TIMES = float(os.environ.get("DEPTH") or (20 if PROFILE == "deep" else 1))


def deep(max_examples: int, **more: Any) -> settings:
    """Settings for a test that shows `max_examples` histories as shipped."""
    if PROFILE == "mutants":
        more |= {"phases": [Phase.generate, Phase.target], "database": None}
    # As shipped the same histories each time: a change is judged by what it changed. `make test-deep` seeks new ones.
    return settings(
        max_examples=round(max_examples * TIMES),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=TIMES == 1 and not PROFILE,
        **more,
    )
