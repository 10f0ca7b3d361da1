"""Views: every circuit of one process, by name, and which of them are in use. Safe from any thread.

A circuit that no call has used for a while falls asleep (`Sleep.fall_asleep`): nothing visits it until the next call,
which wakes it. So the periodic work of a process depends on the circuits in use, not on those that exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ha_rag.ledger.view.view import View
from ha_rag.native_threads import new_lock

ALWAYS_AWAKE = 20
"""So many circuits stay awake without calls."""


class Views:
    """The views of one process. `on_wake`: called with each view that a call woke, on that call's thread."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._views: dict[str, View] = {}
        self._awake: dict[str, View] = {}
        self.on_wake: list[Callable[[View], None]] = []

    def renew_in_child(self) -> None:
        """In a forked child: none."""
        self._lock, self._views, self._awake = new_lock(), {}, {}
        self.on_wake = []

    def add(self, view: View) -> None:
        """Adds a view. If many are awake, it sleeps until it is used."""
        with self._lock:
            self._views[view.name] = view
            if len(self._awake) < ALWAYS_AWAKE or not view.sleep.fall_asleep():
                self._awake[view.name] = view
        view.sleep.on_wake = partial(self._woken, view)

    def remove(self, view: View) -> None:
        """Removes a view. A call that still uses it adds it again."""
        with self._lock:
            self._views.pop(view.name, None)
            self._awake.pop(view.name, None)

    def _woken(self, view: View) -> None:
        with self._lock:
            self._views[view.name] = self._awake[view.name] = view
        for notify in self.on_wake:
            notify(view)

    def get(self, name: str) -> View | None:
        """The view of the circuit `name`, or None."""
        return self._views.get(name)

    def all(self) -> list[View]:
        """All views."""
        with self._lock:
            return list(self._views.values())

    def shared(self) -> list[View]:
        """The views of circuits that the replicas share."""
        return [view for view in self.all() if view.scope == "fleet"]

    # ---- those in use -----------------------------------------------------------------------------------------------

    def awake(self) -> list[View]:
        """The views in use."""
        with self._lock:
            return list(self._awake.values())

    def awake_shared(self) -> list[View]:
        """The views in use of circuits that the replicas share."""
        return [view for view in self.awake() if view.scope == "fleet"]

    def let_sleep(self, view: View) -> bool:
        """Lets a view fall asleep that is not in use. Returns whether it did."""
        if not view.sleep.is_idle:
            return False
        with self._lock:
            if len(self._awake) <= ALWAYS_AWAKE or not view.sleep.fall_asleep():
                return False
            self._awake.pop(view.name, None)
            return True
