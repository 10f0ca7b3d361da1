"""What the keys of `ha-rag watch` do."""

from __future__ import annotations

import pytest

from ha_rag.dashboards.steering import Draft, Give, Leave, MayI, Page, Steering, Wish
from ha_rag.monitor.consequence import Order
from ha_rag.monitor.snapshot import Override
from tests.dashboards.fleets import NAMES, OUTAGE, fleet
from tests.monitor.pictures import picture

CALM = fleet()


def after(*keys: str, start: Steering | None = None, shown=CALM) -> tuple[Steering, Wish]:
    """Presses `keys`; of the wishes the last one is returned."""
    now, wish = start or Steering(), None
    for key in keys:
        now, wish = now.pressed(key, shown)
    return now, wish


def drafting(order: Order, circuit: str = "embedder.primary") -> Steering:
    return Steering(selected=circuit).allowed(circuit, order)


def test_at_first_the_first_circuit_is_selected():
    assert Steering().within(CALM).selected == NAMES[0]


SELECTED = [
    (["j"], NAMES[1]), (["down", "down"], NAMES[2]), (["j", "k"], NAMES[0]), (["up"], NAMES[0]), (["j"] * 99, NAMES[-1])
]  # fmt: skip


@pytest.mark.parametrize(("keys", "selected"), SELECTED)
def test_j_k_and_arrows_select_a_circuit(keys, selected):
    assert after(*keys)[0].selected == selected


def test_the_selection_follows_its_circuit_and_falls_back_to_one_that_is_there():
    assert Steering(selected=NAMES[3]).within(OUTAGE).selected == NAMES[3]
    assert Steering(selected="gone").within(OUTAGE).selected == NAMES[0]


PAGES = [
    (["enter"], Page.CIRCUIT), (["enter", "enter"], Page.FLEET), (["enter", "escape"], Page.FLEET),
    (["?"], Page.HELP), (["?", "?"], Page.FLEET), (["?", "escape"], Page.FLEET), (["enter", "j"], Page.CIRCUIT),
    (["x"], Page.FLEET),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "page"), PAGES)
def test_enter_shows_the_history_and_a_question_mark_the_help(keys, page):
    assert after(*keys)[0].page is page


@pytest.mark.parametrize("keys", [["q"], ["?", "q"], ["enter", "q"]])
def test_q_quits_on_every_page(keys):
    assert after(*keys)[1] == Leave()


@pytest.mark.parametrize(("key", "order"), [("o", "open"), ("c", "closed"), ("d", "disabled"), ("s", "shadow")])
def test_an_order_is_written_only_once_it_is_known_to_be_allowed(key, order):
    asked, wish = after("j", key)

    assert wish == MayI(circuit=NAMES[1], order=order)
    assert asked.draft is None
    assert after("o", start=asked)[1] is None  # one order at a time
    assert asked.refused("no token").draft is None
    assert asked.refused("no token").said == "no token"
    assert asked.allowed(NAMES[1], order).draft == Draft(circuit=NAMES[1], order=order)


def test_an_order_needs_a_reason_and_may_end_by_itself():
    now, wish = after("enter", start=drafting("open"))
    assert wish is None
    assert now.said.startswith("say why")

    now, wish = after(*"repairs", "enter", *"30", "enter", start=drafting("open"))

    assert isinstance(wish, Give)
    assert (wish.draft.reason, wish.draft.for_s) == ("repairs", 30.0)
    assert now.busy


def test_without_a_time_it_stays_until_it_is_ended():
    _, wish = after(*"repairs", "enter", "enter", start=drafting("open"))

    assert isinstance(wish, Give)
    assert wish.draft.for_s is None


@pytest.mark.parametrize("seconds", ["0", "-3", "1.5", "2592001", "soon", "٣"])
def test_a_time_that_cannot_be_is_not_sent(seconds):
    now, wish = after(*"repairs", "enter", *seconds, "enter", start=drafting("open"))

    assert wish is None
    assert "seconds" in now.said


def test_letters_of_orders_are_text_while_one_is_written():
    now, wish = after(*"quoac?", "backspace", start=drafting("open"))

    assert wish is None
    assert now.draft is not None
    assert now.draft.reason == "quoac"
    assert after("clear", start=now)[0].draft == Draft(circuit="embedder.primary", order="open")


@pytest.mark.parametrize("key", ["\x1b", "\u202e", "up", "\x07"])
def test_a_reason_takes_no_character_that_changes_others(key):
    now, _ = after("a", key, start=drafting("open"))

    assert now.draft is not None
    assert now.draft.reason == "a"


def test_a_reason_has_an_end():
    now, _ = after(*("x" * 500), start=drafting("open"))

    assert now.draft is not None
    assert len(now.draft.reason) == 200


@pytest.mark.parametrize("keys", [["escape"], [*"why", "escape"], [*"why", "enter", "escape"]])
def test_escape_gives_no_order(keys):
    now, wish = after(*keys, start=drafting("open"))

    assert (now.draft, wish, now.said) == (None, None, "no order was given")


def test_a_circuit_that_is_gone_gets_no_order():
    now, wish = after(*"why", "enter", "enter", start=drafting("open"), shown=picture(circuits=()))

    assert wish is None
    assert "is gone" in now.said


def test_an_override_that_is_not_there_cannot_be_ended():
    now, wish = after("a")

    assert wish is None
    assert now.said == "embedder.primary has no override that could be ended"


def test_an_order_can_be_undone_before_a_snapshot_shows_it():
    now, wish = after(*"why", "enter", "enter", start=drafting("open"))
    assert isinstance(wish, Give)

    _, undoing = now.given(wish, 3).pressed("a", CALM)

    assert undoing == MayI(circuit="embedder.primary", order="auto")


OVERRIDE = Override(mode="open", reason="repairs", by="mia", ends_in_s=None)
OVERRIDDEN = fleet(embedder__primary={"override": OVERRIDE, "state": "open"})
UNDONE = [
    (CALM, "open", "is open by hand in 3 replicas. To undo: a, or ha-rag circuits auto embedder.primary"),
    (CALM, "shadow", "embedder.primary is in shadow in 3 replicas. To undo: a, or ha-rag circuits auto embedder."),
    (OVERRIDDEN, "closed", 'closed by hand in 3 replicas. To undo: o, or ha-rag circuits open embedder.'),
    (OVERRIDDEN, "auto", 'embedder.primary --reason "repairs"'),
]  # fmt: skip


@pytest.mark.parametrize(("shown", "order", "said"), UNDONE)
def test_after_an_order_it_is_said_how_to_undo_it(shown, order, said):
    keys = ["enter"] if order == "auto" else [*"why", "enter", "enter"]
    now, wish = after(*keys, start=drafting(order), shown=shown)
    assert isinstance(wish, Give)

    done = now.given(wish, 3)

    assert said in done.said
    assert done.draft is None
    assert after("escape", start=done)[0].said == ""
