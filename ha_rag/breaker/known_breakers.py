"""KnownBreakers: the breakers of one process by name, and those that it forgot because nobody used them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakValueDictionary

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.breaker_settings import BreakerSettings
from ha_rag.breaker.fleet_link import FleetLink
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.circuit_names import checked_circuit_name
from ha_rag.ledger.view.sleep import IDLE_S
from ha_rag.ledger.view.view import View
from ha_rag.native_threads import new_lock
from ha_rag.sharing import Scope

ROUNDS = 20
"""Steps in which all breakers are checked for whether they can be forgotten, within `forget_after_s`."""


class KnownBreakers:
    """A circuit never has two breakers: a forgotten one that some code still holds comes back with its next call.

    `incarnation`: the replica that its local decisions name. `widest`: "replica" if no circuit can be shared.
    `forget_after_s`: None: never. `draw`: a random number in [0, 1). Safe from any thread.
    Raises ConfigurationError for a `forget_after_s` below 10 s.
    """

    def __init__(
        self,
        link: FleetLink,
        incarnation: str,
        *,
        widest: Scope,
        forget_after_s: float | None,
        draw: Callable[[], float],
    ) -> None:
        self._link = link
        self._incarnation = incarnation
        self._widest = widest
        self._forget_after_s = _checked(forget_after_s)
        self._draw = draw
        self._lock = new_lock()
        self._settings: dict[str, BreakerSettings] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._forgotten: WeakValueDictionary[str, CircuitBreaker] = WeakValueDictionary()
        link.views.on_wake.append(self._remember)

    # ---- by name ----------------------------------------------------------------------------------------------------

    def get(self, name: str) -> CircuitBreaker | None:
        """The breaker of that name, also a forgotten one; None if there is none."""
        return self._breakers.get(name) or self._forgotten.get(name)

    def get_or_make(self, name: str, settings: BreakerSettings) -> CircuitBreaker:
        """The breaker of that name, created if there is none.

        Raises ConfigurationError for an invalid name, or for another setting than the existing breaker's.
        """
        with self._lock:
            known = self.get(name)
            if known is not None:
                self._check_same(known, settings)
                return known
            view = self._new_view(
                checked_circuit_name(name),
                settings.policy or CircuitPolicy(),
                "replica" if self._widest == "replica" else settings.scope or "fleet",
                settings.timeout_s,
            )
            breaker = self._breakers[name] = CircuitBreaker(self._link, view, settings.judge())
            self._settings[name] = settings
            self._link.views.add(view)
        self._link.sync_soon(view)
        return breaker

    def _check_same(self, known: CircuitBreaker, settings: BreakerSettings) -> None:
        is_updated = settings.policy == known.policy  # by `update_policy`, so it is not the one of the settings
        again = replace(settings, policy=None) if is_updated else settings
        self._settings[known.name].check_same(known.name, again)

    def names(self) -> tuple[str, ...]:
        """The names of all breakers, but for forgotten ones."""
        with self._lock:
            return tuple(sorted(self._breakers))

    def _new_view(self, name: str, policy: CircuitPolicy, scope: Scope, timeout_s: float | None) -> View:
        return View(
            name, policy, replica=self._incarnation, clock=self._link.clock, scope=scope, timeout_s=timeout_s,
            draw=self._draw, stalled=self._link.lag.since,
        )  # fmt: skip

    # ---- forgetting -------------------------------------------------------------------------------------------------

    def forget(self, breaker: CircuitBreaker, *, in_use: bool = False) -> None:
        """Forgets a breaker that is not used now, or even if it is (`in_use`)."""
        view = breaker.view
        with self._lock:
            if not view.sleep.fall_asleep(in_use=in_use):
                return
            self._link.views.remove(view)
            self._breakers.pop(breaker.name, None)
            self._forgotten[breaker.name] = breaker
        if self._link.sync is not None:
            self._link.sync.forget(view)

    def _remember(self, view: View) -> None:
        """A call used a circuit again."""
        with self._lock:
            breaker = self._forgotten.pop(view.name, None)
            if breaker is not None:
                self._breakers[view.name] = breaker
                self._link.views.add(view)

    async def forget_unused(self) -> None:
        """Forgets breakers that were not used for `forget_after_s`. Runs until cancelled, if there is such a time."""
        after_s = self._forget_after_s
        while after_s is not None:
            with self._lock:
                breakers = list(self._breakers.values())
            for first in range(ROUNDS):
                await asyncio.sleep(after_s / ROUNDS)
                for breaker in breakers[first::ROUNDS]:
                    if breaker.view.sleep.idle_s >= after_s:
                        self.forget(breaker)

    # ---- forks ------------------------------------------------------------------------------------------------------

    def renew_in_child(self, incarnation: str) -> None:
        """In a forked child: the same breakers, also forgotten ones, with circuits that have counted nothing yet."""
        self._incarnation = incarnation
        self._lock = new_lock()
        self._link.views.on_wake.append(self._remember)
        self._breakers.update(self._forgotten.items())
        self._forgotten = WeakValueDictionary()
        for breaker in self._breakers.values():
            view = self._new_view(breaker.name, breaker.policy, breaker.scope, breaker.timeout_s)
            breaker.renew_in_child(view)
            self._link.views.add(view)


def _checked(seconds: float | None) -> float | None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is None or (is_number and IDLE_S <= seconds < math.inf):
        return seconds
    raise ConfigurationError(f"forget_after_s = {seconds!r}: must be at least {IDLE_S:g} seconds, or None")
