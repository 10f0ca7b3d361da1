"""Cores: how many of the machine's this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def cores() -> int:
    """At least 1: the cores that this process may run on, or fewer where its container's limit is lower.

    A limit of one and a half counts as two. Limits are read from Linux control groups, version 2.
    """
    return max(1, math.ceil(min(_runnable(), limit(GROUPS, OWN_GROUP))))


def _runnable() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit(groups: Path, own: Path) -> float:
    """The lowest limit of the group that `own` names and of those above it, in cores; infinite where none is set."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    names = [line.removeprefix("0::").lstrip("/") for line in lines if line.startswith("0::")]
    folders = [folder for name in names for folder in (groups / name, *(groups / name).parents)]
    limits = [_limit_of(folder / "cpu.max") for folder in folders if folder.is_relative_to(groups)]
    return min(limits, default=math.inf)


def _limit_of(file: Path) -> float:
    """What a file like "150000 100000" allows: microseconds of computing in so many microseconds."""
    try:
        quota, period = file.read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
