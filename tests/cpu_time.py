"""How long something computes: other programs on the machine do not count, unlike in a duration."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_s(work: Callable[[], object]) -> float:
    """Seconds of CPU time that `work` takes in this thread."""
    began_s = time.thread_time()
    work()
    return time.thread_time() - began_s
