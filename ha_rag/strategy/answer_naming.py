"""What makes the id of an answer. A replica's says how the answer was made (`telemetry/answer_ids.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

from ha_rag.messages import AssignedArm

NewId = Callable[[Mapping[str, str], Collection[str], AssignedArm | None], str]
"""Makes an id from stage -> tier, the degraded stages and the experiment's arm."""


def random_id(served_by: Mapping[str, str], degraded: Collection[str], assigned: AssignedArm | None) -> str:
    """An id that says nothing."""
    return os.urandom(16).hex()
