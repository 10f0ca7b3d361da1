"""The share of calls that a closed circuit admits: after closing, and during a brownout."""

from __future__ import annotations

import pytest

from ha_rag.circuit.admission import ramp_share, shed_share
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts


@pytest.mark.parametrize(
    ("closed_for_s", "share"),
    [
        (-1, 0.1),
        (0, 0.1),
        (1.99, 0.1),
        (2, 0.25),
        (3.99, 0.25),
        (4, 0.5),
        (5.99, 0.5),
        (6, 1),
        (7.9, 1),
        (8, 1),
        (80, 1),
    ],
)
def test_the_ramp_admits_calls_in_four_steps(closed_for_s: float, share: float) -> None:
    assert ramp_share(CircuitPolicy(ramp_s=8), closed_for_s) == share


def test_without_a_ramp_all_calls_are_admitted_at_once() -> None:
    assert ramp_share(CircuitPolicy(), 0) == 1.0


@pytest.mark.parametrize(
    ("ok", "failed", "share"),
    [
        (0, 0, 1.0),
        (100, 0, 1.0),
        (100, 10, 1.0),
        (80, 20, 1 - 12 / 101),
        (50, 50, 1 - 45 / 101),
        (0, 99, 1 - 99 / 100),
    ],
)
def test_shedding_follows_the_client_side_throttling_formula(ok: int, failed: int, share: float) -> None:
    """SRE book, ch. 21, with K = 1.1: shedding starts at a failure rate of about a tenth."""
    assert shed_share(CircuitPolicy(shed=True), Counts(ok, failed)) == pytest.approx(share)


def test_shedding_is_off_by_default() -> None:
    assert shed_share(CircuitPolicy(), Counts(0, 99)) == 1.0


@pytest.mark.parametrize(("closed_for_s", "share"), [(0, 0.1), (0.2, 0.1), (0.3, 0.25), (0.6, 0.5), (0.8, 1)])
def test_a_ramp_of_one_second_has_four_steps(closed_for_s: float, share: float) -> None:
    assert ramp_share(CircuitPolicy(ramp_s=1), closed_for_s) == share
