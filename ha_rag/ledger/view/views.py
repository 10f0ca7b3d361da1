"""Views: every circuit of one process, by name.

Safe from any thread: circuits are added while others walk over them, and a walk ends with those it began with.
"""

from __future__ import annotations

import threading

from ha_rag.ledger.view.view import View


class Views:
    """The views of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: dict[str, View] = {}

    def add(self, view: View) -> None:
        """Adds one more."""
        with self._lock:
            self._views = {**self._views, view.name: view}

    def get(self, name: str) -> View | None:
        """The view of that circuit, if it is known here."""
        return self._views.get(name)

    def all(self) -> list[View]:
        """Every one."""
        return list(self._views.values())

    def shared(self) -> list[View]:
        """Those of circuits that the replicas share."""
        return [view for view in self._views.values() if view.scope == "fleet"]
