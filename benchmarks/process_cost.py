"""What a server's processes cost: processor time and resident memory, its children's included."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """`processor_s`: user and system time since the start. `resident_mb`: now."""

    processor_s: float
    resident_mb: float


def cost(pid: int) -> Cost:
    """Of the process and all that it started and that still run."""
    processor_s, resident = 0.0, 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            processor_s += times.user + times.system
            resident += process.memory_info().rss
    return Cost(processor_s, resident / 2**20)
