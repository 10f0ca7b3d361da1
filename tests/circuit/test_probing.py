"""lease and settle: who may probe, and what a probe's end makes of the circuit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import lease_wait_ms
from ha_rag.circuit.state import Circuit, Lease, OverrideMode
from ha_rag.messages import Outcome
from tests.circuit.circuits import (
    CLOSED,
    HALF_OPEN,
    NOW,
    OPEN,
    OPEN_UNTIL,
    T,
    active_leases,
    half_open,
    lease,
    opened,
    pause_requested,
    report,
    settle,
    terms,
)  # fmt: skip


def test_an_open_circuit_grants_nothing_before_its_rest_is_over() -> None:
    circuit = opened()
    refused = lease(circuit, now=OPEN_UNTIL - 1)
    assert (refused.granted, refused.circuit is circuit) == (False, True)


def test_half_open_is_entered_only_together_with_a_grant() -> None:
    decision = lease(opened(), now=OPEN_UNTIL, by="b")
    assert (decision.granted, decision.circuit.state) == (True, HALF_OPEN)
    assert [(e.before, e.after, e.by) for e in decision.events] == [(OPEN, HALF_OPEN, "b")]
    assert decision.circuit.leases["t"] == Lease(OPEN_UNTIL + 300, decision.circuit.epoch)


def test_no_more_probes_stand_at_once_than_the_policy_allows() -> None:
    two = terms(probes=2)
    circuit = lease(half_open(two), now=OPEN_UNTIL + 1, by="b", token="u", under=two).circuit
    refused = lease(circuit, now=OPEN_UNTIL + 2, by="c", token="v", under=two)
    assert (len(circuit.leases), refused.granted, refused.circuit is circuit) == (2, False, True)


def test_a_lease_ends_at_its_deadline_so_a_dead_prober_blocks_nobody_for_longer() -> None:
    circuit = half_open()
    assert not lease(circuit, now=OPEN_UNTIL + 299, by="b", token="u").granted
    assert lease(circuit, now=OPEN_UNTIL + 300, by="b", token="u").granted


def test_a_lease_of_another_epoch_still_takes_its_place_until_it_ends() -> None:
    circuit = replace(opened(), leases={"old": Lease(OPEN_UNTIL + 100, 1)})
    assert not lease(circuit, now=OPEN_UNTIL).granted
    assert lease(circuit, now=OPEN_UNTIL + 100).granted


def test_a_ledger_that_is_behind_the_asker_grants_nothing() -> None:
    circuit = opened()
    refused = lease(circuit, now=OPEN_UNTIL, known=circuit.epoch + 1)
    assert (refused.granted, refused.circuit is circuit) == (False, True)


def test_an_asker_that_is_behind_the_ledger_may_probe() -> None:
    assert lease(opened(), now=OPEN_UNTIL, known=1).granted


def test_a_closed_circuit_grants_nothing() -> None:
    assert not lease(Circuit(), now=NOW).granted


def test_a_replica_whose_probe_failed_waits_for_another_or_for_two_lease_lives() -> None:
    lost_at = OPEN_UNTIL + 10
    circuit = settle(half_open(), Outcome.FAILED, now=lost_at).circuit
    patient = replace(circuit, open_until_ms=lost_at + 1)
    assert lease_wait_ms(patient, T, lost_at + 1, "a") == 599
    assert lease(patient, now=lost_at + 1, by="b").granted
    assert lease(patient, now=lost_at + 600, by="a").granted


def test_once_another_has_probed_well_the_replica_that_failed_may_probe_again() -> None:
    circuit = replace(settle(half_open(), Outcome.FAILED, now=OPEN_UNTIL).circuit, open_until_ms=OPEN_UNTIL)
    by_b = lease(circuit, now=OPEN_UNTIL + 1, by="b", token="u").circuit
    won = settle(by_b, Outcome.OK, now=OPEN_UNTIL + 2, by="b", token="u").circuit
    assert lease(won, now=OPEN_UNTIL + 3, by="a", token="v").granted


@pytest.mark.parametrize(
    ("circuit", "now", "wait"),
    [
        (Circuit(), NOW, None),
        (opened(), NOW + 100, 400),
        (opened(), OPEN_UNTIL, 0),
        (half_open(), OPEN_UNTIL + 100, 200),
        (half_open(), OPEN_UNTIL + 300, 0),
        (rules.override(Circuit(), NOW, OverrideMode.OPEN, "", "kim").circuit, NOW, None),
        (rules.override(Circuit(), NOW, OverrideMode.OPEN, "", "kim", 100).circuit, NOW + 99, None),
        (rules.override(Circuit(), NOW, OverrideMode.OPEN, "", "kim", 100).circuit, NOW + 100, 0),
    ],
    ids=["closed", "resting", "rested", "probing", "probe ended", "forced", "forced for a while", "force ended"],
)
def test_a_refusal_says_when_to_ask_again(circuit: Circuit, now: int, wait: int | None) -> None:
    assert lease_wait_ms(circuit, T, now, "b") == wait


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.INVALID])
def test_a_good_probe_is_one_more_success_and_enough_of_them_close(outcome: Outcome) -> None:
    once = settle(half_open(), outcome, now=OPEN_UNTIL + 1)
    assert (once.circuit.state, once.circuit.probe_successes, once.events, once.publish) == (HALF_OPEN, 1, (), True)
    again = lease(once.circuit, now=OPEN_UNTIL + 2, by="b").circuit
    closed = settle(again, outcome, now=OPEN_UNTIL + 3, by="b")
    assert (closed.circuit.state, [e.by for e in closed.events]) == (CLOSED, ["b"])


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMEOUT, Outcome.SLOW])
def test_a_bad_probe_opens_again_for_longer(outcome: Outcome) -> None:
    strict = terms(slow_threshold=0.5)
    decision = settle(half_open(strict), outcome, now=OPEN_UNTIL + 1, under=strict, jitter=0.5)
    assert (decision.circuit.state, decision.circuit.open_count) == (OPEN, 2)
    assert decision.circuit.open_until_ms == OPEN_UNTIL + 1 + 1050


def test_a_slow_probe_is_good_enough_while_slow_ones_are_a_bearable_share() -> None:
    mild = terms(slow_threshold=0.6, probe_successes=3)
    circuit = settle(half_open(mild), Outcome.OK, now=OPEN_UNTIL + 1, under=mild).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, under=mild).circuit
    after = settle(circuit, Outcome.SLOW, now=OPEN_UNTIL + 3, under=mild).circuit
    assert (after.state, after.probe_successes, after.probe_slow) == (HALF_OPEN, 2, 1)


def test_a_probe_that_was_asked_for_a_rest_opens_for_that_long_without_a_step_up() -> None:
    circuit = settle(half_open(), Outcome.THROTTLED, now=OPEN_UNTIL, asked_ms=700).circuit
    assert (circuit.state, circuit.open_until_ms, circuit.open_count) == (OPEN, OPEN_UNTIL + 700, 1)


def test_a_cancelled_probe_only_gives_its_lease_back() -> None:
    before = half_open()
    decision = settle(before, Outcome.CANCELLED, now=OPEN_UNTIL + 1)
    assert active_leases(decision.circuit) == {}
    assert replace(decision.circuit, leases=before.leases) == before
    assert (decision.events, decision.publish) == ((), True)
    assert lease(decision.circuit, now=OPEN_UNTIL + 2, by="b").granted


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED])
def test_an_expired_token_changes_nothing(outcome: Outcome) -> None:
    circuit = half_open()
    assert settle(circuit, outcome, now=OPEN_UNTIL + 300).circuit is circuit


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED])
def test_a_foreign_token_changes_nothing(outcome: Outcome) -> None:
    circuit = half_open()
    assert settle(circuit, outcome, now=OPEN_UNTIL + 1, token="forged").circuit is circuit


def test_a_token_settles_once() -> None:
    circuit = settle(half_open(), Outcome.OK, now=OPEN_UNTIL + 1).circuit
    assert settle(circuit, Outcome.OK, now=OPEN_UNTIL + 2, token="t").circuit is circuit


def test_a_request_that_comes_again_after_its_probe_has_ended_grants_nothing() -> None:
    """Else its outcome, which may come twice too, would count one good probe as two."""
    won = settle(half_open(), Outcome.OK, now=OPEN_UNTIL + 1, token="t").circuit
    again = lease(won, now=OPEN_UNTIL + 2, token="t")
    assert not again.granted
    assert again.circuit is won
    assert lease(won, now=OPEN_UNTIL + 2, token="u").granted
    assert lease(won, now=OPEN_UNTIL + 300, token="t").granted, "it is remembered to the end of its lease"


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED])
def test_a_probe_of_an_earlier_half_open_is_only_given_back(outcome: Outcome) -> None:
    """A first probe fails while a second one is out; when that returns, the circuit is half-open anew."""
    two = terms(probes=2, lease_ms=3000)
    both = lease(half_open(two), now=OPEN_UNTIL + 1, by="b", token="late", under=two).circuit
    reopened = settle(both, Outcome.FAILED, now=OPEN_UNTIL + 2, under=two).circuit
    rested = replace(reopened, open_until_ms=OPEN_UNTIL + 3)
    anew = lease(rested, now=OPEN_UNTIL + 3, by="c", token="u", under=two).circuit
    assert anew.state is HALF_OPEN
    decision = settle(anew, outcome, now=OPEN_UNTIL + 4, by="b", token="late", under=two)
    assert active_leases(decision.circuit) == {"u": anew.leases["u"]}
    assert replace(decision.circuit, leases=anew.leases) == anew


def test_with_a_quorum_of_two_one_sick_replica_cannot_reopen_by_losing_probes() -> None:
    strict = terms(quorum=2)
    circuit = half_open(strict)
    for turn in range(4):
        now = OPEN_UNTIL + 1 + turn * 600
        circuit = settle(circuit, Outcome.FAILED, now=now, under=strict).circuit
        assert circuit.state is HALF_OPEN
        circuit = lease(circuit, now=now + 600, by="a", under=strict).circuit


def test_with_a_quorum_all_whose_probes_failed_wait_for_a_good_one_or_two_lease_lives() -> None:
    strict = terms(quorum=3)
    circuit = settle(half_open(strict), Outcome.FAILED, now=OPEN_UNTIL + 1, under=strict).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, by="b", under=strict).circuit
    circuit = settle(circuit, Outcome.FAILED, now=OPEN_UNTIL + 3, by="b", under=strict).circuit
    assert [lease_wait_ms(circuit, strict, OPEN_UNTIL + 4, by) for by in "abc"] == [599, 599, 0]
    circuit = lease(circuit, now=OPEN_UNTIL + 4, by="c", under=strict).circuit
    won = settle(circuit, Outcome.OK, now=OPEN_UNTIL + 5, by="c", under=strict).circuit
    assert [lease_wait_ms(won, strict, OPEN_UNTIL + 6, by) for by in "abc"] == [0, 0, 0]


def test_with_a_quorum_of_two_the_second_replica_whose_probe_fails_reopens() -> None:
    strict = terms(quorum=2)
    circuit = settle(half_open(strict), Outcome.FAILED, now=OPEN_UNTIL + 1, under=strict).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, by="b", under=strict).circuit
    assert settle(circuit, Outcome.FAILED, now=OPEN_UNTIL + 3, by="b", under=strict).circuit.state is OPEN


def test_the_first_verb_after_a_forced_open_ends_it_even_where_it_only_gives_a_lease_back() -> None:
    long = terms(lease_ms=3000)
    forced = rules.override(half_open(long), OPEN_UNTIL + 1, OverrideMode.OPEN, "why", "kim", 100).circuit
    decision = settle(forced, Outcome.OK, now=OPEN_UNTIL + 101, under=long)
    assert [e.trigger for e in decision.events] == ["forced open ended"]
    assert (decision.circuit.override, active_leases(decision.circuit)) == (None, {})


def test_no_late_failure_extends_a_rest_and_no_late_success_ends_one() -> None:
    circuit = opened()
    for decision in (
        report(circuit, failed=99, now=NOW + 10), report(circuit, ok=99, now=NOW + 10),
        pause_requested(circuit, 2000, now=NOW + 10),
    ):  # fmt: skip
        assert decision.circuit is circuit
