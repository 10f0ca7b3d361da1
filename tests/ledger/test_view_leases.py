"""How a replica requests leases: one at a time, not before it makes sense; no grant is lost or kept too long."""

from __future__ import annotations

import threading

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.state import CircuitState, OverrideMode
from tests.ledger.views import CLOSED, HALF_OPEN, OPEN, OneView
from tests.waiting import PATIENCE_S


@pytest.fixture
def view() -> OneView:
    """Half-open since epoch 5. A lease lasts 10 s."""
    view = OneView()
    view.receives(HALF_OPEN, 5)
    return view


def test_the_first_call_starts_a_lease_request(view: OneView) -> None:
    assert view.refused().ask


def test_only_one_request_is_in_flight_at_a_time(view: OneView) -> None:
    assert view.refused().ask
    assert not any(view.refused().ask for _ in range(10))


def test_a_grant_goes_to_the_next_call_and_to_one_call_only(view: OneView) -> None:
    view.refused()
    assert view.granted(6) is None
    grant = view.probes()
    assert (grant.token, grant.local) == ("t1", False)
    assert view.refused().state is HALF_OPEN


def test_a_grant_that_comes_after_its_call_has_ended_waits_for_the_next_call(view: OneView) -> None:
    view.refused()
    asked_s = view.clock.now_s
    view.clock.advance(0.1)
    view.granted(6, asked_s=asked_s)
    view.clock.advance(0.3)
    assert view.stale_grant() is None
    assert view.probes().token == "t1"


def test_a_grant_expires_with_its_lease_counted_from_before_the_request(view: OneView) -> None:
    view.refused()
    asked_s = view.clock.now_s
    view.clock.advance(0.2)
    view.granted(6, asked_s=asked_s)
    assert view.probes().until_s == asked_s + 10


@pytest.mark.parametrize(
    ("timeout_s", "waits_s"),
    [(8.0, 0.5), (1.0, 2 - 1 / 0.9), (None, 0.5)],
    ids=["half a second is kept for its outcome", "a tenth is kept for its outcome", "a lease of 10 s is good for 9 s"],
)
def test_a_grant_is_used_while_it_leaves_the_call_its_full_timeout_and_then_returned(
    timeout_s: float | None, waits_s: float
) -> None:
    view = OneView(timeout_s=timeout_s)
    view.receives(HALF_OPEN, 5)
    view.refused()
    view.granted(6)
    view.clock.advance(waits_s - 0.01)
    assert view.stale_grant() is None
    view.clock.advance(0.02)
    assert view.refused().state is HALF_OPEN
    unused = view.stale_grant()
    assert unused is not None
    assert unused.token == "t1"
    assert view.stale_grant() is None


def test_a_grant_for_calls_of_half_a_second_is_usable_until_little_more_than_that_is_left_of_its_lease() -> None:
    view = OneView(timeout_s=0.5)
    view.receives(HALF_OPEN, 5)
    view.refused()
    view.granted(6)
    view.clock.advance(1.5 - 0.5 / 0.9 - 0.01)
    assert view.probes().token == "t1"


def test_a_short_lease_without_a_timeout_is_usable_for_half_of_it() -> None:
    view = OneView(CircuitPolicy(probe_timeout_s=1.0))
    view.receives(HALF_OPEN, 5)
    view.refused()
    view.granted(6)
    view.clock.advance(0.44)
    assert view.stale_grant() is None
    view.clock.advance(0.01)
    assert view.stale_grant() is not None


def test_an_old_grant_is_exchanged_for_a_fresh_one(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.clock.advance(4.7)
    assert view.stale_grant() is not None
    assert view.begin_renewal()
    assert not view.begin_renewal()
    view.granted(6, "t2")
    assert view.probes().token == "t2"


def test_a_grant_is_returned_for_good_half_a_lease_after_a_call_last_wanted_it(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.clock.advance(0.4)
    assert view.probes().token == "t1"
    view.refused()
    view.denied(0)
    view.clock.advance(4.7)
    assert view.begin_renewal()
    view.granted(6, "t2")
    view.clock.advance(0.31)
    unused = view.stale_grant()
    assert unused is not None
    assert unused.token == "t2"
    assert not view.begin_renewal()


def make_sparse(view: OneView, every_s: float) -> None:
    """Two calls; the grant that the first one wanted has been given back when the second comes."""
    view.refused()
    view.granted(6)
    view.clock.advance(every_s)
    view.stale_grant()
    assert view.refused().ask
    view.denied(0)


@pytest.mark.parametrize("every_s", [0.6, 20.0, 299.0])
def test_a_grant_is_requested_ahead_for_twice_the_interval_of_sparse_calls(view: OneView, every_s: float) -> None:
    make_sparse(view, every_s)
    view.clock.advance(2 * every_s - 0.3)
    assert view.begin_request_ahead()
    assert not view.begin_request_ahead()
    view.denied(0)
    view.clock.advance(max(0.1, 5.0 - 2 * every_s + 0.3))
    assert not view.begin_request_ahead()


def test_nothing_is_requested_ahead_for_longer_than_ten_minutes(view: OneView) -> None:
    make_sparse(view, 599.0)
    view.clock.advance(599.7)
    assert view.begin_request_ahead()
    view.denied(0)
    view.clock.advance(0.1)
    assert not view.begin_request_ahead()


def test_after_a_probe_a_grant_for_the_next_of_sparse_calls_is_requested(view: OneView) -> None:
    make_sparse(view, 20.0)
    assert view.begin_request_ahead()
    view.granted(6, "t2")
    assert not view.begin_request_ahead()
    view.clock.advance(0.1)
    assert view.probes().token == "t2"
    assert view.begin_request_ahead()


def test_a_lease_for_sparse_calls_has_spare_time(view: OneView) -> None:
    assert view.lease_wanted().spare_ms == 0
    make_sparse(view, 20.0)
    wanted = view.lease_wanted()
    assert (wanted.lease_ms, wanted.spare_ms) == (10_000, 1000)
    assert (wanted.of(view.terms).lease_ms, wanted.total_ms) == (10_000, 11_000)
    assert view.begin_request_ahead()
    reply = Reply(view.snapshot(HALF_OPEN, 6), granted=True)
    view.lease_answered(reply, "t2", view.clock.now_s, wanted)
    view.clock.advance(1.49)
    assert view.probes().until_s == view.clock.now_s - 1.49 + 11


def test_a_replica_that_is_not_alone_pauses_before_it_exchanges_a_grant_for_sparse_calls(view: OneView) -> None:
    make_sparse(view, 20.0)
    assert not view.begin_renewal(is_alone=False)
    assert not view.begin_request_ahead()
    view.clock.advance(0.16)
    assert view.begin_request_ahead()


def test_without_sparse_calls_nothing_is_requested_ahead(view: OneView) -> None:
    view.refused()
    view.denied(0)
    assert not view.begin_request_ahead()


def test_under_an_override_nothing_is_requested_ahead(view: OneView) -> None:
    make_sparse(view, 20.0)
    view.receives(HALF_OPEN, 6, override=view.make_override(OverrideMode.OPEN))
    assert not view.begin_request_ahead()


def test_a_grant_of_a_circuit_that_is_no_longer_half_open_is_not_exchanged(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.receives(CLOSED, 7)
    assert view.stale_grant() is not None
    assert not view.begin_renewal()


def test_a_grant_of_an_earlier_epoch_is_returned(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.receives(HALF_OPEN, 9)
    assert view.refused().state is HALF_OPEN
    unused = view.stale_grant()
    assert unused is not None
    assert unused.epoch == 6


def test_a_grant_that_replaces_an_unused_one_returns_that_one(view: OneView) -> None:
    view.refused()
    view.granted(6, "t1")
    view.receives(HALF_OPEN, 9)
    view.refused()
    unused = view.granted(9, "t2")
    assert unused is not None
    assert unused.token == "t1"
    assert view.probes().token == "t2"


def test_a_grant_received_while_the_ledger_is_unreachable_is_returned_unused(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.set_ledger_unreachable(True)
    assert view.probes().local
    view.clock.advance(5.1)
    assert view.stale_grant() is not None


def test_a_refusal_says_when_to_request_again_and_nothing_is_requested_before(view: OneView) -> None:
    view.refused()
    view.denied(4000)
    refused = view.refused()
    assert not refused.ask
    assert refused.retry_after_s == pytest.approx(4.0)
    view.clock.advance(3.9)
    assert not view.refused().ask
    view.clock.advance(0.2)
    assert view.refused().ask


def test_a_large_fleet_spreads_the_requests_of_replicas_that_waited_for_the_same_time() -> None:
    view = OneView(draw=lambda: 0.5)
    view.set_spread(4.0)
    view.receives(HALF_OPEN, 5)
    view.clock.advance(4)
    assert view.refused().ask
    view.denied(4000)
    assert view.refused().retry_after_s == pytest.approx(6.0)


def test_when_the_wait_is_unknown_the_next_request_follows_in_a_second(view: OneView) -> None:
    view.refused()
    view.denied(-1)
    assert view.refused().retry_after_s == pytest.approx(1.0)


def test_a_pushed_settle_ends_the_wait(view: OneView) -> None:
    view.refused()
    view.denied(9000)
    view.apply_message(view.snapshot(HALF_OPEN, 5), 5)
    assert view.refused().ask


def test_a_pushed_settle_while_all_slots_are_taken_does_not_end_the_wait(view: OneView) -> None:
    view.refused()
    view.denied(9000)
    view.apply_message(view.snapshot(HALF_OPEN, 5, slot_wait_ms=2000), 5)
    assert view.refused().retry_after_s == pytest.approx(2.0)


def test_a_replica_that_missed_the_message_learns_from_the_next_poll(view: OneView) -> None:
    view.refused()
    view.denied(9000)
    view.clock.advance(1)
    view.receives(HALF_OPEN, 5, slot_wait_ms=8000)
    assert not view.refused().ask
    view.receives(HALF_OPEN, 5, slot_wait_ms=0)
    assert view.refused().ask


@pytest.mark.parametrize("state", [OPEN, HALF_OPEN])
def test_a_message_that_puts_probes_off_for_a_month_is_corrected_by_the_next_poll(state: CircuitState) -> None:
    view = OneView()
    left_ms = 3000 if state is OPEN else 0
    view.receives(state, 5, left_ms=left_ms)
    told = view.apply_message(view.snapshot(state, 5, left_ms=left_ms, slot_wait_ms=30 * 86_400_000), 5)
    assert told.to_confirm
    view.clock.advance(1)
    view.receives(state, 5, left_ms=max(0, left_ms - 1000))
    view.clock.advance(2)
    assert view.refused().ask


def test_a_lease_returned_while_the_circuit_is_open_does_not_make_all_replicas_request_at_its_end() -> None:
    view = OneView(draw=lambda: 0.5)
    view.set_spread(4.0)
    view.receives(OPEN, 5, left_ms=3000)
    view.apply_message(view.snapshot(OPEN, 5, left_ms=3000), 5)
    view.clock.advance(3.1)
    assert not view.refused().ask


def test_after_a_new_transition_the_running_probes_deadline_is_known_without_a_request() -> None:
    view = OneView()
    view.apply_message(view.snapshot(HALF_OPEN, 6, slot_wait_ms=8000), 0)
    assert view.refused().retry_after_s == pytest.approx(8.0)


def test_a_request_without_a_reply_may_be_repeated(view: OneView) -> None:
    view.refused()
    view.lease_answered(None, "t1", view.clock.now_s)
    assert view.refused().ask


def test_a_large_fleet_spreads_its_lease_requests() -> None:
    asked = set()
    for share in (0.0, 0.25, 0.5, 0.75):
        view = OneView(draw=lambda share=share: share)
        view.set_spread(4.0)
        view.receives(HALF_OPEN, 5)
        asked.add(view.refused().retry_after_s)
    assert asked == {0.0, 1.0, 2.0, 3.0}


def test_a_closed_circuit_keeps_no_grant(view: OneView) -> None:
    view.refused()
    view.granted(6)
    view.receives(CLOSED, 7)
    unused = view.stale_grant()
    assert unused is not None
    assert unused.epoch == 6


def test_the_lease_lasts_as_long_as_the_calls_own_timeout_plus_a_second() -> None:
    view = OneView(CircuitPolicy(), timeout_s=30.0)
    view.receives(HALF_OPEN, 5)
    view.refused()
    view.granted(6)
    assert view.probes().until_s == view.clock.now_s + 31


def test_a_thread_waits_only_while_a_request_is_in_flight(view: OneView) -> None:
    view.gate.wait_for_answer(60.0)  # no request is in flight: returns at once
    view.refused()
    woken = threading.Event()

    def wait() -> None:
        view.gate.wait_for_answer(60.0)
        woken.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not woken.is_set()
    view.lease_answered(Reply(view.snapshot(HALF_OPEN, 6), granted=False, wait_ms=0), "t1", view.clock.now_s)
    assert woken.wait(PATIENCE_S)
    waiter.join()


def test_a_thread_waits_no_longer_than_its_limit(view: OneView) -> None:
    view.refused()
    view.gate.wait_for_answer(0.01)
    assert not view.refused().ask


def test_while_the_fleet_is_open_no_grant_is_exchanged() -> None:
    view = OneView()
    view.receives(OPEN, 5, left_ms=3000)
    assert not view.begin_renewal()
