"""A circuit without calls falls asleep, and its next call wakes it: nothing else visits it meanwhile."""

from __future__ import annotations

import pytest

from ha_rag.circuit.state import OverrideMode
from ha_rag.ledger.sync.rotation import Rotation
from ha_rag.ledger.view.sleep import IDLE_S
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import ALWAYS_AWAKE, Views
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView


@pytest.fixture
def view() -> OneView:
    return OneView()


def asleep(view: OneView) -> OneView:
    view.clock.advance(2 * IDLE_S)
    assert view.sleep.fall_asleep()
    return view


def test_a_circuit_that_was_never_called_sleeps_at_once(view: OneView) -> None:
    assert view.sleep.fall_asleep()


def test_a_circuit_stays_awake_for_a_while_after_its_last_call(view: OneView) -> None:
    view.succeeds()
    view.batch_acknowledged(view.batch(view.ledger_ms) or pytest.fail("nothing to report"))
    view.clock.advance(IDLE_S - 0.01)
    assert not view.sleep.fall_asleep()
    view.clock.advance(view.policy.bucket_ms / 1000 + 0.01)
    assert view.sleep.fall_asleep()


def test_a_circuit_with_a_call_in_flight_stays_awake_however_long_it_takes(view: OneView) -> None:
    epochs, number = view.admitted(), view.gate.begin(view.clock.now_s)
    view.clock.advance(100)
    assert not view.sleep.fall_asleep()
    view.gate.ended(epochs, number)
    assert view.sleep.fall_asleep()


def test_a_circuit_with_outcomes_to_report_stays_awake_until_they_are_too_old_to_count(view: OneView) -> None:
    view.succeeds()
    view.clock.advance(view.policy.window_s - 0.01)
    assert not view.sleep.fall_asleep()
    view.clock.advance(IDLE_S)
    assert view.sleep.fall_asleep()


def test_a_replica_that_tripped_alone_stays_awake(view: OneView) -> None:
    view.fails(view.policy.min_samples)
    batch = view.batch(view.ledger_ms)
    assert batch is not None
    view.batch_acknowledged(batch)
    view.batch_evaluated(batch)
    view.clock.advance(2 * IDLE_S)
    assert view.is_tripped_locally()
    assert not view.sleep.fall_asleep()


def test_a_circuit_that_waits_for_a_lease_stays_awake(view: OneView) -> None:
    view.receives(HALF_OPEN, 1)
    assert view.refused().ask
    view.clock.advance(2 * IDLE_S)
    assert not view.sleep.fall_asleep()
    view.denied(1000)
    assert view.sleep.fall_asleep()


@pytest.mark.parametrize("state", [CLOSED, OPEN])
def test_no_call_passes_or_is_refused_by_a_sleeping_circuit_unnoticed(view: OneView, state: str) -> None:
    view.receives(OPEN if state == OPEN else CLOSED, 1, left_ms=100_000)
    asleep(view)
    assert view.gate.passing is None
    assert view.gate.refusing_until_s < view.clock.now_s
    view.sleep.wake()
    assert (view.gate.passing is None) == (state == OPEN)
    assert (view.gate.refusing_until_s > view.clock.now_s) == (state == OPEN)


def test_a_sleeping_circuit_follows_what_is_received_and_stays_asleep(view: OneView) -> None:
    asleep(view)
    view.apply_message(view.snapshot(OPEN, 1, left_ms=5000), 0)
    assert (view.state(), view.sleep.asleep) == (OPEN, True)
    view.apply_reply(view.snapshot(CLOSED, 2, override=view.make_override(OverrideMode.OPEN)))
    assert (view.state(), view.sleep.asleep, view.gate.passing) == (OPEN, True, None)


def test_waking_tells_once(view: OneView) -> None:
    views, woken = Views(), list[View]()
    views.add(view)
    views.on_wake.append(woken.append)
    asleep(view)
    view.sleep.wake()
    view.sleep.wake()
    assert woken == [view]


def test_few_circuits_never_sleep_and_of_many_only_those_in_use_are_awake() -> None:
    views, many = Views(), [OneView() for _ in range(ALWAYS_AWAKE + 5)]
    for number, view in enumerate(many):
        view.name = str(number)
        views.add(view)
    assert [view.sleep.asleep for view in many].count(True) == 5
    assert len(views.awake()) == ALWAYS_AWAKE
    assert len(views.all()) == ALWAYS_AWAKE + 5
    many[-1].sleep.wake()
    assert many[-1] in views.awake()
    assert not views.let_sleep(many[-1])
    many[-1].clock.advance(IDLE_S)
    assert views.let_sleep(many[-1])
    assert many[-1] not in views.awake()


def test_a_removed_circuit_comes_back_with_its_next_call(view: OneView) -> None:
    views = Views()
    views.add(view)
    asleep(view)
    views.remove(view)
    assert views.all() == []
    view.sleep.wake()
    assert views.all() == views.awake() == [view]


@pytest.mark.parametrize("length", [1, 9, 10, 11, 1000])
def test_a_rotation_covers_everything_in_its_steps(length: int) -> None:
    rotation, items = Rotation(10), list(range(length))
    steps = [list(rotation.next_of(items)) for _ in range(10)]
    assert {item for step in steps for item in step} == set(items)
    assert max(map(len, steps)) <= -(-length // 10)


def test_a_rotation_of_a_list_that_shrinks_or_is_empty_begins_again() -> None:
    rotation = Rotation(2)
    assert rotation.next_of([1, 2, 3, 4]) == [1, 2]
    assert rotation.next_of([1]) == [1]
    assert rotation.next_of([]) == []
