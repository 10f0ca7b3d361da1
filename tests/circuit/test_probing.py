"""lease and settle: who may probe, and how the outcome of a probe changes the circuit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ha_rag.circuit import rules
from ha_rag.circuit.rules import lease_wait_ms
from ha_rag.circuit.state import Circuit, Lease, OverrideMode
from ha_rag.outcomes import Outcome
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


def test_an_open_circuit_grants_no_probe_before_its_open_duration_ends() -> None:
    circuit = opened()
    refused = lease(circuit, now=OPEN_UNTIL - 1)
    assert (refused.granted, refused.circuit is circuit) == (False, True)


def test_half_open_is_entered_only_together_with_a_grant() -> None:
    decision = lease(opened(), now=OPEN_UNTIL, by="b")
    assert (decision.granted, decision.circuit.state) == (True, HALF_OPEN)
    assert [(e.before, e.after, e.by) for e in decision.events] == [(OPEN, HALF_OPEN, "b")]
    assert decision.circuit.leases["t"] == Lease(OPEN_UNTIL + 300, decision.circuit.epoch)


def test_concurrent_probes_are_limited_by_the_policy() -> None:
    two = terms(probes=2)
    circuit = lease(half_open(two), now=OPEN_UNTIL + 1, by="b", token="u", under=two).circuit
    refused = lease(circuit, now=OPEN_UNTIL + 2, by="c", token="v", under=two)
    assert (len(circuit.leases), refused.granted, refused.circuit is circuit) == (2, False, True)


def test_a_lease_expires_so_that_a_crashed_replica_does_not_block_probes() -> None:
    circuit = half_open()
    assert not lease(circuit, now=OPEN_UNTIL + 299, by="b", token="u").granted
    assert lease(circuit, now=OPEN_UNTIL + 300, by="b", token="u").granted


def test_a_lease_of_another_epoch_takes_a_probe_slot_until_it_expires() -> None:
    circuit = replace(opened(), leases={"old": Lease(OPEN_UNTIL + 100, 1)})
    assert not lease(circuit, now=OPEN_UNTIL).granted
    assert lease(circuit, now=OPEN_UNTIL + 100).granted


def test_a_ledger_behind_the_replica_grants_no_probe() -> None:
    circuit = opened()
    refused = lease(circuit, now=OPEN_UNTIL, known=circuit.epoch + 1)
    assert (refused.granted, refused.circuit is circuit) == (False, True)


def test_a_replica_behind_the_ledger_may_probe() -> None:
    assert lease(opened(), now=OPEN_UNTIL, known=1).granted


def test_a_closed_circuit_grants_no_probe() -> None:
    assert not lease(Circuit(), now=NOW).granted


def test_a_replica_whose_probe_failed_waits_for_two_lease_durations() -> None:
    failed_at = OPEN_UNTIL + 10
    circuit = settle(half_open(), Outcome.FAILED, now=failed_at).circuit
    circuit = replace(circuit, open_until_ms=failed_at + 1)
    assert lease_wait_ms(circuit, T, failed_at + 1, "a") == 599
    assert lease(circuit, now=failed_at + 1, by="b").granted
    assert lease(circuit, now=failed_at + 600, by="a").granted


def test_a_successful_probe_of_another_replica_ends_that_wait() -> None:
    circuit = replace(settle(half_open(), Outcome.FAILED, now=OPEN_UNTIL).circuit, open_until_ms=OPEN_UNTIL)
    by_b = lease(circuit, now=OPEN_UNTIL + 1, by="b", token="u").circuit
    succeeded = settle(by_b, Outcome.OK, now=OPEN_UNTIL + 2, by="b", token="u").circuit
    assert lease(succeeded, now=OPEN_UNTIL + 3, by="a", token="v").granted


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
    ids=[
        "closed",
        "open",
        "open time over",
        "probing",
        "lease expired",
        "forced",
        "forced for a while",
        "forced open ended",
    ],
)
def test_a_refusal_says_how_long_to_wait(circuit: Circuit, now: int, wait: int | None) -> None:
    assert lease_wait_ms(circuit, T, now, "b") == wait


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.INVALID])
def test_enough_successful_probes_close_the_circuit(outcome: Outcome) -> None:
    once = settle(half_open(), outcome, now=OPEN_UNTIL + 1)
    assert (once.circuit.state, once.circuit.probe_successes, once.events, once.publish) == (HALF_OPEN, 1, (), True)
    again = lease(once.circuit, now=OPEN_UNTIL + 2, by="b").circuit
    closed = settle(again, outcome, now=OPEN_UNTIL + 3, by="b")
    assert (closed.circuit.state, [e.by for e in closed.events]) == (CLOSED, ["b"])


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMEOUT, Outcome.SLOW])
def test_a_failed_probe_opens_the_circuit_for_longer(outcome: Outcome) -> None:
    strict = terms(slow_threshold=0.5)
    decision = settle(half_open(strict), outcome, now=OPEN_UNTIL + 1, under=strict, jitter=0.5)
    assert (decision.circuit.state, decision.circuit.open_count) == (OPEN, 2)
    assert decision.circuit.open_until_ms == OPEN_UNTIL + 1 + 1050


def test_a_slow_probe_succeeds_while_the_slow_share_is_below_the_threshold() -> None:
    mild = terms(slow_threshold=0.6, probe_successes=3)
    circuit = settle(half_open(mild), Outcome.OK, now=OPEN_UNTIL + 1, under=mild).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, under=mild).circuit
    after = settle(circuit, Outcome.SLOW, now=OPEN_UNTIL + 3, under=mild).circuit
    assert (after.state, after.probe_successes, after.probe_slow) == (HALF_OPEN, 2, 1)


def test_a_throttled_probe_opens_for_the_requested_pause_without_backoff() -> None:
    circuit = settle(half_open(), Outcome.THROTTLED, now=OPEN_UNTIL, requested_ms=700).circuit
    assert (circuit.state, circuit.open_until_ms, circuit.open_count) == (OPEN, OPEN_UNTIL + 700, 1)


def test_a_cancelled_probe_only_releases_its_lease() -> None:
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
def test_an_unknown_token_changes_nothing(outcome: Outcome) -> None:
    circuit = half_open()
    assert settle(circuit, outcome, now=OPEN_UNTIL + 1, token="forged").circuit is circuit


def test_a_token_settles_once() -> None:
    circuit = settle(half_open(), Outcome.OK, now=OPEN_UNTIL + 1).circuit
    assert settle(circuit, Outcome.OK, now=OPEN_UNTIL + 2, token="t").circuit is circuit


def test_a_repeated_request_after_its_probe_ended_grants_nothing() -> None:
    """Otherwise its outcome, which may be repeated too, would count twice."""
    succeeded = settle(half_open(), Outcome.OK, now=OPEN_UNTIL + 1, token="t").circuit
    again = lease(succeeded, now=OPEN_UNTIL + 2, token="t")
    assert not again.granted
    assert again.circuit is succeeded
    assert lease(succeeded, now=OPEN_UNTIL + 2, token="u").granted
    assert lease(succeeded, now=OPEN_UNTIL + 300, token="t").granted, "a used token is kept until its lease expires"


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED])
def test_a_probe_of_an_earlier_half_open_only_releases_its_lease(outcome: Outcome) -> None:
    """One probe fails while another is running; when that one ends, the circuit is half-open again."""
    two = terms(probes=2, lease_ms=3000)
    both = lease(half_open(two), now=OPEN_UNTIL + 1, by="b", token="late", under=two).circuit
    reopened = settle(both, Outcome.FAILED, now=OPEN_UNTIL + 2, under=two).circuit
    expired = replace(reopened, open_until_ms=OPEN_UNTIL + 3)
    anew = lease(expired, now=OPEN_UNTIL + 3, by="c", token="u", under=two).circuit
    assert anew.state is HALF_OPEN
    decision = settle(anew, outcome, now=OPEN_UNTIL + 4, by="b", token="late", under=two)
    assert active_leases(decision.circuit) == {"u": anew.leases["u"]}
    assert replace(decision.circuit, leases=anew.leases) == anew


def test_with_a_quorum_of_two_failed_probes_of_one_replica_do_not_reopen() -> None:
    strict = terms(quorum=2)
    circuit = half_open(strict)
    for turn in range(4):
        now = OPEN_UNTIL + 1 + turn * 600
        circuit = settle(circuit, Outcome.FAILED, now=now, under=strict).circuit
        assert circuit.state is HALF_OPEN
        circuit = lease(circuit, now=now + 600, by="a", under=strict).circuit


def test_with_a_quorum_all_replicas_whose_probes_failed_wait() -> None:
    strict = terms(quorum=3)
    circuit = settle(half_open(strict), Outcome.FAILED, now=OPEN_UNTIL + 1, under=strict).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, by="b", under=strict).circuit
    circuit = settle(circuit, Outcome.FAILED, now=OPEN_UNTIL + 3, by="b", under=strict).circuit
    assert [lease_wait_ms(circuit, strict, OPEN_UNTIL + 4, by) for by in "abc"] == [599, 599, 0]
    circuit = lease(circuit, now=OPEN_UNTIL + 4, by="c", under=strict).circuit
    succeeded = settle(circuit, Outcome.OK, now=OPEN_UNTIL + 5, by="c", under=strict).circuit
    assert [lease_wait_ms(succeeded, strict, OPEN_UNTIL + 6, by) for by in "abc"] == [0, 0, 0]


def test_with_a_quorum_of_two_failed_probes_of_two_replicas_reopen() -> None:
    strict = terms(quorum=2)
    circuit = settle(half_open(strict), Outcome.FAILED, now=OPEN_UNTIL + 1, under=strict).circuit
    circuit = lease(circuit, now=OPEN_UNTIL + 2, by="b", under=strict).circuit
    assert settle(circuit, Outcome.FAILED, now=OPEN_UNTIL + 3, by="b", under=strict).circuit.state is OPEN


def test_the_first_verb_after_a_forced_open_ends_it_even_if_it_only_releases_a_lease() -> None:
    long = terms(lease_ms=3000)
    forced = rules.override(half_open(long), OPEN_UNTIL + 1, OverrideMode.OPEN, "why", "kim", 100).circuit
    decision = settle(forced, Outcome.OK, now=OPEN_UNTIL + 101, under=long)
    assert [e.trigger for e in decision.events] == ["forced open ended"]
    assert (decision.circuit.override, active_leases(decision.circuit)) == (None, {})


def test_late_outcomes_do_not_change_an_open_circuit() -> None:
    circuit = opened()
    for decision in (
        report(circuit, failed=99, now=NOW + 10), report(circuit, ok=99, now=NOW + 10),
        pause_requested(circuit, 2000, now=NOW + 10),
    ):  # fmt: skip
        assert decision.circuit is circuit
