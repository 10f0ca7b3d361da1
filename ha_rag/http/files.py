"""Open files: each connection is one, and many systems allow a process a thousand unless it asks for more."""

from __future__ import annotations

import contextlib
import logging

log = logging.getLogger("ha_rag.http")


def allow_files(wanted: int) -> None:
    """Raises this process's own limit to `wanted` open files; says so where the system does not let it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("only %d open files are allowed, %d are wanted: raise the limit (ulimit -n)", most, wanted)
