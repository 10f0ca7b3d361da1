"""Which methods a path takes: what an Allow header lists (RFC 9110, 10.2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Scope

from ha_rag.http import head

OF_FILES = {"GET", "HEAD"}


def methods_at(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """The methods of all `routes` at the path in `scope`, in the order of the alphabet."""
    found: set[str] = set()
    asked = {**scope, "root_path": ""}  # a mount that took the request has written its own path there
    for route in routes:
        if isinstance(route, Route | Mount) and route.matches(asked)[0] is not Match.NONE:
            found |= OF_FILES if isinstance(route, Mount) else route.methods or set()
    if scope["path"] in head.PATHS and "GET" in found:
        found.add("HEAD")
    return sorted(found)
