"""The limit on open files: each connection is one, and the default limit is often 1024."""

from __future__ import annotations

import contextlib
import logging

log = logging.getLogger("ha_rag.http")


def allow_files(wanted: int) -> None:
    """Raises this process's soft limit to `wanted` open files; logs a warning if the hard limit is lower."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("the limit of %d open files is below the %d needed: raise it (ulimit -n)", allowed, wanted)
