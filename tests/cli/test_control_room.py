"""What the keys of `ha-rag watch` do while an answer is awaited, and what is said of orders that get none."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from ha_rag.cli.control_room import ControlRoom
from ha_rag.cli.key_terminal import KeyTerminal
from ha_rag.cli.trouble import CommandError, UnansweredError
from ha_rag.dashboards.steering import Page
from ha_rag.errors import HaRagError, LedgerRefusedError, LedgerUnavailableError
from ha_rag.monitor.consequence import Order
from tests.monitor.pictures import picture

FLEET = picture()
WAIT_S = 10.0


class Typed(KeyTerminal):
    """A terminal on which somebody types. `answered`: set when an answer has come in."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.answered = threading.Event()

    def pressed(self, within_s: float) -> list[str]:
        keys, self.keys = self.keys, []
        return keys

    def wake(self) -> None:
        self.answered.set()


class SlowOrders:
    """Answers whether orders are allowed once `may_answer` is set. `error`: what giving one raises."""

    def __init__(self, refusal: str = "", error: HaRagError | None = None) -> None:
        self.may_answer = threading.Event()
        self.given: list[tuple[str, Order, str, float | None]] = []
        self._refusal = refusal
        self._error = error

    def why_not(self, circuit: str) -> str:
        del circuit
        assert self.may_answer.wait(WAIT_S)
        return self._refusal

    def give(self, circuit: str, order: Order, reason: str, for_s: float | None) -> None:
        if self._error:
            raise self._error
        self.given.append((circuit, order, reason, for_s))


def typed(room: ControlRoom, terminal: Typed, keys: Sequence[str]) -> bool:
    """Whether it goes on after these keys."""
    terminal.keys = list(keys)
    return room.goes_on(FLEET, 0.0)


def answered(room: ControlRoom, terminal: Typed) -> None:
    """The next answer is in, and was followed."""
    assert terminal.answered.wait(WAIT_S)
    terminal.answered.clear()
    assert room.goes_on(FLEET, 0.0)


def test_an_order_may_be_typed_ahead_of_its_questions():
    orders, terminal = SlowOrders(), Typed()
    room = ControlRoom(orders, terminal)

    assert typed(room, terminal, ["s", *"quick "])
    assert typed(room, terminal, [*"fix", "enter", *"60", "enter"])
    assert room.steering.draft is None
    orders.may_answer.set()
    answered(room, terminal)
    answered(room, terminal)

    assert orders.given == [("embedder.primary", "shadow", "quick fix", 60.0)]
    assert room.steering.said.startswith("embedder.primary is in shadow in ")


def test_what_was_typed_ahead_of_a_refusal_does_nothing_else():
    orders, terminal = SlowOrders(refusal="from this machine only"), Typed()
    room = ControlRoom(orders, terminal)

    typed(room, terminal, ["o", *"quick?", "enter"])
    orders.may_answer.set()
    answered(room, terminal)

    assert room.steering.said == "no order: from this machine only"
    assert (room.steering.page, room.steering.draft) == (Page.FLEET, None)
    assert orders.given == []
    assert not typed(room, terminal, ["q"])


@pytest.mark.parametrize("error", [LedgerUnavailableError("no reply"), UnansweredError("no reply")])
def test_an_order_without_an_answer_is_not_said_to_be_void(error: HaRagError):
    said = _said_of(error)

    assert said == "no answer to the order, so it may be in force, as the circuit will show: no reply"


@pytest.mark.parametrize("error", [LedgerRefusedError("NOPERM"), CommandError("nothing answers")])
def test_an_order_that_is_refused_is_void(error: HaRagError):
    assert _said_of(error) == f"no order was given: {error}"


def _said_of(error: HaRagError) -> str:
    orders, terminal = SlowOrders(error=error), Typed()
    orders.may_answer.set()
    room = ControlRoom(orders, terminal)
    typed(room, terminal, ["d", *"repairs", "enter", "enter"])
    answered(room, terminal)
    answered(room, terminal)
    return room.steering.said
