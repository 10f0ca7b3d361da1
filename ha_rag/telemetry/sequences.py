"""Confidence sequences: intervals that hold at every look at once, so that one may look as often as one likes.

A usual 95 % interval is wrong at one look in twenty; whoever looks every day, and stops when it says what was hoped
for, is wrong far more often. Of these, in 95 of 100 experiments, no interval is ever wrong, however often one looks.

Sources: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49 (2021) 1055, https://arxiv.org/abs/1810.08240, section 3.2: the two-sided normal
mixture for sub-Gaussian observations. M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data"
(NeurIPS 2022), https://arxiv.org/abs/2011.03567: the check of a split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ALPHA = 0.05
"""In how many experiments an interval may ever be wrong."""

MEAN_VARIANCE = 0.25
"""Of an observation from 0 to 1, at most; such observations are sub-Gaussian with it (Hoeffding's lemma)."""

RHO = 100.0
"""Where the mixture is tightest. As a prior it says: the difference is about 1 / sqrt(100), ten points."""

RHO_OF_SHARE = 25.0
"""The same for the share of one arm, in observations: tightest at about 800 of them."""


def radius(information: float, alpha: float = ALPHA, rho: float = RHO) -> float:
    """How far an estimate may be from what it estimates, at any look; infinite without information.

    `information`: 1 divided by the variance of the estimate, or by an upper bound of it. The estimate must be the mean
    of the observations, each weighted by its own information.
    """
    if information <= 0:
        return math.inf
    grown = information + rho
    return math.sqrt(grown * (math.log(grown / rho) + 2 * math.log(1 / alpha))) / information


def share_interval(up: float, number: float, alpha: float = ALPHA) -> tuple[float, float]:
    """The confidence sequence of a share of `up` in `number` observations; 0 to 1 without any."""
    if not number:
        return 0.0, 1.0
    half = radius(number / MEAN_VARIANCE, alpha, RHO_OF_SHARE / MEAN_VARIANCE)
    return max(0.0, up / number - half), min(1.0, up / number + half)


def evidence_of_another_split(counts: Sequence[int], weights: Sequence[float]) -> float:
    """How strongly the counts speak against a split by these weights: an e-value, whose inverse bounds the p-value.

    It exceeds 1 / alpha, at any look, in no more than alpha of the experiments whose split is as configured. The
    alternative is a Dirichlet mixture, uniform over all splits.
    """
    total, arms = sum(counts), len(counts)
    mixture = math.lgamma(arms) - math.lgamma(total + arms) + sum(math.lgamma(count + 1) for count in counts)
    configured = sum(
        count * math.log(weight / sum(weights)) for count, weight in zip(counts, weights, strict=True) if count
    )
    return math.exp(min(mixture - configured, 700.0))
