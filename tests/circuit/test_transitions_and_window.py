"""The transition table, the rolling window, and terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.circuit.terms import NEVER, Terms
from ha_rag.circuit.transitions import TABLE, Trigger, automatic_changes
from ha_rag.circuit.window import added, live, pruned, total
from tests.circuit.circuits import CLOSED, HALF_OPEN, NOW, OPEN, T, terms


def test_calls_cause_only_the_four_transitions_of_a_circuit_breaker() -> None:
    by_calls = {
        Trigger.THRESHOLD, Trigger.THROTTLED, Trigger.PROBE_GRANTED, Trigger.PROBE_FAILED, Trigger.PROBES_SUCCEEDED,
    }  # fmt: skip
    assert {(before, after) for (before, trigger), after in TABLE.items() if trigger in by_calls} == {
        (CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (HALF_OPEN, CLOSED),
    }  # fmt: skip


def test_every_trigger_leads_to_one_state() -> None:
    for trigger in Trigger:
        assert len({after for (_, fired), after in TABLE.items() if fired is trigger}) == 1


def test_a_restore_closes_only_a_closed_circuit() -> None:
    assert [before for before, trigger in TABLE if trigger is Trigger.RESTORED_CLOSED] == [CLOSED]


def test_the_diagram_shows_no_transitions_of_operators_or_restores() -> None:
    shown = list(automatic_changes())
    assert (CLOSED, Trigger.THRESHOLD, OPEN) in shown
    assert (HALF_OPEN, Trigger.PROBES_SUCCEEDED, CLOSED) in shown
    assert not [trigger for _, trigger, _ in shown if "forced" in trigger or "restored" in trigger]


stamps = st.integers(NOW - 3000, NOW + 3000)


@given(st.lists(st.tuples(stamps, st.integers(0, 3), st.integers(0, 3))))
def test_the_window_holds_exactly_the_outcomes_stamped_within_it(outcomes: list[tuple[int, int, int]]) -> None:
    window: dict[tuple[int, int], Counts] = {}
    expected = Counts()
    for at, ok, failed in outcomes:
        grown = added(window, at, Counts(ok, failed), NOW, T)
        if grown is not None:
            window, expected = grown, expected + Counts(ok, failed)
            assert min(at, NOW) > NOW - T.window_ms
        else:
            assert at <= NOW - T.window_ms + T.bucket_ms
    assert total(window, NOW, T) == expected


@given(st.integers(0, 4000))
def test_an_outcome_leaves_the_window_within_one_bucket_of_its_age(age: int) -> None:
    window = added({}, NOW, Counts(1), NOW, T)
    assert window is not None
    seen = total(window, NOW + age, T).ok
    assert seen == (1 if age <= T.window_ms - T.bucket_ms else 0 if age >= T.window_ms else seen)


def test_policies_with_different_buckets_share_a_window() -> None:
    wide = terms(window_ms=2000, bucket_ms=200)
    wide_only = added({}, NOW, Counts(1), NOW, wide)
    assert wide_only is not None
    both = added(wide_only, NOW, Counts(0, 1), NOW, T)
    assert both is not None
    assert total(both, NOW, T) == total(both, NOW, wide) == Counts(1, 1)
    assert list(pruned(both, NOW + 1000, T)) == [(200, NOW // 200)]
    assert pruned(both, NOW + 2000, T) == {}


def test_a_bucket_is_live_while_its_start_lies_within_the_window() -> None:
    assert live((100, 10), 1999, 1000)
    assert not live((100, 10), 2000, 1000)


def test_terms_are_numbers_in_whole_milliseconds() -> None:
    found = Terms.of(CircuitPolicy(window_s=2.5, recovery_timeout_s=1.0), timeout_s=0.25)
    assert (found.window_ms, found.bucket_ms, found.lease_ms) == (2500, 250, 1250)
    assert all(isinstance(value, int | float) for value in found.wire())
    assert len(found.wire()) == len(Terms.__slots__)


@pytest.mark.parametrize(
    ("policy", "timeout_s", "open_ms", "lease_ms"),
    [
        (CircuitPolicy(), None, 10_000, 10_000),
        (CircuitPolicy(recovery_timeout_s=2.0), None, 2000, 2000),
        (CircuitPolicy(recovery_timeout_s=2.0), 8.0, 9000, 9000),
        (CircuitPolicy(probe_timeout_s=3.0), None, 10_000, 3000),
    ],
)
def test_no_open_duration_is_shorter_than_a_lease(
    policy: CircuitPolicy, timeout_s: float | None, open_ms: int, lease_ms: int
) -> None:
    found = Terms.of(policy, timeout_s)
    assert (found.open_ms, found.lease_ms) == (open_ms, lease_ms)
    assert found.open_max_ms >= found.open_ms


def test_the_slow_threshold_is_never_reached_if_it_is_off() -> None:
    assert Terms.of(CircuitPolicy(slow_call_s=0), 1.0).slow_threshold == NEVER
    assert not Terms.of(CircuitPolicy(slow_call_s=0), 1.0).reached(0.0, 1.0)
    assert Terms.of(CircuitPolicy(), 1.0).reached(0.0, 0.5)
    assert Terms.of(CircuitPolicy(slow_call_s=1.0), 1.0).reached(0.0, 0.5)


def test_states_have_their_wire_names() -> None:
    assert [str(state) for state in CircuitState] == ["closed", "open", "half_open"]
