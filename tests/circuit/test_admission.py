"""How much of the traffic a closed circuit lets pass: after it closed, and in a brownout."""

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
def test_calls_come_back_in_four_steps(closed_for_s: float, share: float) -> None:
    assert ramp_share(CircuitPolicy(ramp_s=8), closed_for_s) == share


def test_without_a_ramp_they_come_back_at_once() -> None:
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
def test_a_brownout_sheds_what_the_service_would_not_accept(ok: int, failed: int, share: float) -> None:
    """SRE book, ch. 21, with K = 1.1: a tenth of failures is borne, more is refused in proportion."""
    assert shed_share(CircuitPolicy(shed=True), Counts(ok, failed)) == pytest.approx(share)


def test_nothing_is_shed_unless_asked_for() -> None:
    assert shed_share(CircuitPolicy(), Counts(0, 99)) == 1.0


@pytest.mark.parametrize(("closed_for_s", "share"), [(0, 0.1), (0.2, 0.1), (0.3, 0.25), (0.6, 0.5), (0.8, 1)])
def test_a_ramp_of_one_second_has_its_steps_too(closed_for_s: float, share: float) -> None:
    assert ramp_share(CircuitPolicy(ramp_s=1), closed_for_s) == share
