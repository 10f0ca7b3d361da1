"""Views: every circuit of one process, by name. Safe from any thread; iteration is over a copy."""

from __future__ import annotations

from ha_rag.ledger.view.view import View
from ha_rag.native_threads import new_lock


class Views:
    """The views of one process."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._views: dict[str, View] = {}

    def renew_in_child(self) -> None:
        """In a forked child: none."""
        self._lock, self._views = new_lock(), {}

    def add(self, view: View) -> None:
        """Adds a view."""
        with self._lock:
            self._views = {**self._views, view.name: view}

    def get(self, name: str) -> View | None:
        """The view of the circuit `name`, or None."""
        return self._views.get(name)

    def all(self) -> list[View]:
        """All views."""
        return list(self._views.values())

    def shared(self) -> list[View]:
        """The views of circuits that the replicas share."""
        return [view for view in self._views.values() if view.scope == "fleet"]
