"""KnownBreakers: the breakers of one process by name, and those that it forgot because nobody used them."""

from __future__ import annotations

import asyncio
import math
import threading
from weakref import WeakValueDictionary

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.view.sleep import IDLE_S
from ha_rag.ledger.view.view import View

ROUNDS = 20
"""Steps in which all breakers are checked for whether they can be forgotten, within `forget_after_s`."""


class KnownBreakers:
    """A circuit never has two breakers: a forgotten one that some code still holds comes back with its next call.

    `lock`: held by whoever adds a breaker. `forget_after_s`: None: never. Safe from any thread.
    Raises ConfigurationError for a `forget_after_s` below 10 s.
    """

    def __init__(self, link: FleetLink, forget_after_s: float | None) -> None:
        self.lock = threading.Lock()
        self._link = link
        self._forget_after_s = _checked(forget_after_s)
        self._breakers: dict[str, CircuitBreaker] = {}
        self._forgotten: WeakValueDictionary[str, CircuitBreaker] = WeakValueDictionary()
        link.views.on_wake.append(self._remember)

    def get(self, name: str) -> CircuitBreaker | None:
        """The breaker of that name, also a forgotten one; None if there is none."""
        return self._breakers.get(name) or self._forgotten.get(name)

    def add(self, breaker: CircuitBreaker) -> None:
        """Adds a breaker. The caller holds the lock."""
        self._breakers[breaker.name] = breaker

    def forget(self, breaker: CircuitBreaker, *, in_use: bool = False) -> None:
        """Forgets a breaker that is not used now, or even if it is (`in_use`)."""
        view = breaker.view
        with self.lock:
            if not view.sleep.fall_asleep(in_use=in_use):
                return
            self._link.views.remove(view)
            self._breakers.pop(breaker.name, None)
            self._forgotten[breaker.name] = breaker
        if self._link.sync is not None:
            self._link.sync.forget(view)

    def _remember(self, view: View) -> None:
        """A call used a circuit again."""
        with self.lock:
            breaker = self._forgotten.pop(view.name, None)
            if breaker is not None:
                self._breakers[view.name] = breaker
                self._link.views.add(view)

    async def forget_unused(self) -> None:
        """Forgets breakers that were not used for `forget_after_s`. Runs until cancelled, if there is such a time."""
        after_s = self._forget_after_s
        while after_s is not None:
            with self.lock:
                breakers = list(self._breakers.values())
            for first in range(ROUNDS):
                await asyncio.sleep(after_s / ROUNDS)
                for breaker in breakers[first::ROUNDS]:
                    if breaker.view.sleep.idle_s >= after_s:
                        self.forget(breaker)


def _checked(seconds: float | None) -> float | None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is None or (is_number and IDLE_S <= seconds < math.inf):
        return seconds
    raise ConfigurationError(f"forget_after_s = {seconds!r}: must be at least {IDLE_S:g} seconds, or None")
