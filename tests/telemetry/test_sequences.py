"""Confidence sequences: the formula against its integral, and what it promises, on seeded samples."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.experiments import SAME, Crowd, Tallies, outcomes, ratings
from ha_rag.ledger.store.experiment_counts import LIKED, Tally, difference
from ha_rag.telemetry.sequences import RHO, evidence_of_another_split, radius, share_interval


def mixture(off: float, information: float, rho: float) -> float:
    """The martingale at an estimate that is `off`: exp(x s - x*x v / 2), averaged over x, normal of variance 1/rho."""
    s, steps, reach = off * information, 20_000, 12 / math.sqrt(rho)
    width = 2 * reach / steps
    total = 0.0
    for n in range(steps):
        x = -reach + (n + 0.5) * width
        density = math.sqrt(rho / (2 * math.pi)) * math.exp(-rho * x * x / 2)
        total += math.exp(x * s - x * x * information / 2) * density * width
    return total


@pytest.mark.parametrize("information", [20.0, 400.0, 5_000.0])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_radius_is_where_the_mixture_reaches_one_in_alpha(information: float, alpha: float) -> None:
    # Ville's inequality: a non-negative martingale that begins at 1 ever reaches 1 / alpha with probability alpha.
    assert mixture(radius(information, alpha), information, RHO) == pytest.approx(1 / alpha, rel=1e-3)


@given(st.floats(1e-3, 1e9), st.floats(1e-6, 0.5))
def test_more_information_and_less_certainty_make_it_narrower(information: float, alpha: float) -> None:
    assert 0 < radius(2 * information, alpha) < radius(information, alpha)
    assert radius(information, alpha) <= radius(information, alpha / 2)


def test_without_information_nothing_is_known() -> None:
    assert radius(0) == math.inf
    assert share_interval(0, 0) == (0.0, 1.0)


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_the_interval_of_a_share_contains_it_and_is_a_share(up: int, down: int) -> None:
    low, high = share_interval(up, up + down)
    assert 0 <= low <= high <= 1
    assert not up + down or low <= up / (up + down) <= high


def test_a_share_is_ever_outside_its_interval_in_no_more_than_one_of_twenty_samples() -> None:
    draw, samples, missed = random.Random(5), 400, 0
    for _ in range(samples):
        up, share = 0, draw.random()
        for number in range(1, 400):
            up += draw.random() < share
            low, high = share_interval(up, number)
            if not low <= share <= high:
                missed += 1
                break
    assert missed / samples <= 0.05


def test_the_simulation_counts_by_the_rules_of_the_fleet() -> None:
    tallies, fleet = Tallies(3), [Tally() for _ in range(3)]
    crowd = SAME["400 people who differ, some rate often"]
    for _, arm, who, up in ratings(crowd, 3, seed=2):
        first = [fleet[n].rate("1:1", int(arm[n]), int(who[n]), int(up[n])) for n in range(3)]
        tallies.rate(arm, up, np.array(first))
    for n, tally in enumerate(fleet):
        assert tally.fields[difference(LIKED, "information")] == pytest.approx(tallies.information[n])
        assert tally.fields[difference(LIKED, "sum")] == pytest.approx(tallies.sum[n])


@pytest.mark.parametrize("name", ["half like it", "more like it each day, while the second arm grows from 5 % to half"])
def test_looking_every_day_at_arms_that_are_the_same_is_wrong_in_at_most_one_of_twenty(name: str) -> None:
    made = outcomes(SAME[name], 400, seed=11)
    assert sum(bool(one.verdict) for one in made) <= 0.05 * len(made)
    assert sum(one.usual for one in made) > 0.2 * len(made), "a usual test would have been wrong far more often"


def test_arms_that_differ_by_twenty_points_are_told_apart_and_never_the_wrong_way_round() -> None:
    made = outcomes(Crowd(lambda day: 0.6, 0.2), 50, seed=12)
    assert {one.verdict for one in made} == {"second"}
    assert {one.verdict for one in outcomes(Crowd(lambda day: 0.8, -0.2), 50, seed=13)} == {"first"}


def test_a_split_as_configured_is_doubted_in_no_more_than_one_of_a_thousand_experiments() -> None:
    draw, doubted = random.Random(7), 0
    for _ in range(300):
        counts = [0, 0]
        for _ in range(500):
            counts[draw.random() < 0.25] += 1
            if evidence_of_another_split(counts, (3, 1)) > 1_000:
                doubted += 1
                break
    assert doubted <= 1


@pytest.mark.parametrize(("counts", "weights"), [((600, 400), (1, 1)), ((500, 500), (3, 1)), ((0, 40), (1, 1))])
def test_another_split_is_doubted(counts: tuple[int, int], weights: tuple[int, int]) -> None:
    assert evidence_of_another_split(counts, weights) > 1_000


@pytest.mark.parametrize(("counts", "weights"), [((0, 0), (1, 1)), ((510, 490), (1, 1)), ((760, 240), (3, 1))])
def test_a_usual_deviation_is_not(counts: tuple[int, int], weights: tuple[int, int]) -> None:
    assert evidence_of_another_split(counts, weights) < 20


def test_the_evidence_of_a_small_split_is_the_ratio_of_the_two_likelihoods() -> None:
    # Three of three in one arm: 1/4 under all splits alike, 1/8 under an even one.
    assert evidence_of_another_split((3, 0), (1, 1)) == pytest.approx(0.25 / 0.125)
