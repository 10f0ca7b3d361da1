"""Number of examples that property tests try.

The default fits into `make test`. `make test-deep` tries DEPTH times as many (default 20).
HYPOTHESIS_PROFILE=mutants only searches for a failing example and does not shrink it.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, register_random, settings

from ha_rag import chance

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "")
TIMES = float(os.environ.get("DEPTH") or (20 if PROFILE == "deep" else 1))


register_random(chance.generator)  # so that an example can be tried again, with the same chance


def deep(max_examples: int, **more: Any) -> settings:
    """Settings for a test that tries `max_examples` examples by default."""
    if PROFILE == "mutants":
        more |= {"phases": [Phase.generate, Phase.target], "database": None}
    # By default the examples do not vary, so a failure is due to the change under test. `make test-deep` varies them.
    return settings(
        max_examples=round(max_examples * TIMES),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=TIMES == 1 and not PROFILE,
        **more,
    )
