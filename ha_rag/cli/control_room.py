"""ControlRoom: the live view with keys. Wishes are granted on a thread of their own, so that the screen goes on.

Keys that are typed while it is asked whether an order is allowed belong to the order: they wait for the answer, and are
dropped if it is no.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ha_rag.cli.key_terminal import KeyTerminal
from ha_rag.cli.orders import Orders
from ha_rag.cli.trouble import UnansweredError
from ha_rag.dashboards.steering import Give, Leave, MayI, Steering, Wish
from ha_rag.errors import HaRagError, LedgerUnavailableError
from ha_rag.monitor.snapshot import FleetSnapshot


class ControlRoom:
    """What the keys have chosen, and the orders that follow from them. Used by one thread."""

    def __init__(self, orders: Orders, terminal: KeyTerminal) -> None:
        self._orders = orders
        self._terminal = terminal
        self._answers: queue.SimpleQueue[Callable[[Steering], Steering]] = queue.SimpleQueue()
        self._typed: list[str] = []
        self.steering = Steering()

    def goes_on(self, picture: FleetSnapshot, within_s: float) -> bool:
        """Waits for a key or an answer, for `within_s` at most, and follows it. False: the user quits."""
        self._typed += self._terminal.pressed(within_s)
        while not self._answers.empty():
            self.steering = self._answers.get()(self.steering)
        while self._typed and not self.steering.asking:
            self.steering, wish = self.steering.pressed(self._typed.pop(0), picture)
            if isinstance(wish, Leave):
                return False
            self._follow(wish, picture)
        return True

    def _follow(self, wish: Wish, picture: FleetSnapshot) -> None:
        if isinstance(wish, MayI):
            self._ask(wish)
        elif isinstance(wish, Give):
            self._give(wish, max(1, len(picture.replicas)))

    def _refused(self, now: Steering, why: str) -> Steering:
        self._typed.clear()
        return now.refused(why)

    def _ask(self, wish: MayI) -> None:
        def ask() -> Callable[[Steering], Steering]:
            refusal = self._orders.why_not(wish.circuit)
            if refusal:
                return lambda now: self._refused(now, f"no order: {refusal}")
            return lambda now: now.allowed(wish.circuit, wish.order)

        self._start(ask)

    def _give(self, wish: Give, replicas: int) -> None:
        def give() -> Callable[[Steering], Steering]:
            draft = wish.draft
            try:
                self._orders.give(draft.circuit, draft.order, draft.reason.strip(), draft.for_s)
            except (UnansweredError, LedgerUnavailableError) as error:
                why = f"no answer to the order, so it may be in force, as the circuit will show: {error}"
                return lambda now: self._refused(now, why)
            return lambda now: now.given(wish, replicas)

        self._start(give)

    def _start(self, work: Callable[[], Callable[[Steering], Steering]]) -> None:
        def run() -> None:
            try:
                answer = work()
            except HaRagError as error:
                why = str(error)
                self._answers.put(lambda now: self._refused(now, f"no order was given: {why}"))
            else:
                self._answers.put(answer)
            self._terminal.wake()

        threading.Thread(target=run, name="ha-rag watch orders", daemon=True).start()
