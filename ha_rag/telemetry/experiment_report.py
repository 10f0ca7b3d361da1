"""ExperimentReport: what an experiment shows so far, for people and for programs.

The verdict goes by what people liked. The other shares are guardrails: what the second arm must not make worse. All
intervals are confidence sequences (`sequences.py`): look whenever you like. Nothing here ends an experiment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ha_rag.ledger.store.experiment import Told
from ha_rag.ledger.store.experiment_counts import (
    LIKED,
    METRICS,
    PLACES,
    TOTALS,
    Counts,
    ExperimentKey,
    difference,
    latency,
    observed,
    total,
    units,
)
from ha_rag.ledger.store.validation import whole
from ha_rag.telemetry import sketch
from ha_rag.telemetry.sequences import ALPHA, evidence_of_another_split, radius, share_interval

GUARDRAILS = tuple(metric for metric in METRICS if metric != LIKED)
SPLIT_ALPHA = 0.001
"""In how many experiments the split may be doubted for nothing."""

MANY_UNITS = PLACES // 4
"""With more units than this, many share a place, and too few are counted."""

MAX_LATE_S, MAX_FIRSTS = 3600.0, 8
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")

WORSE = {"answered": "answers fewer questions", "undegraded": "is degraded more often", "in_time": "is late more often"}


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """An arm. `firsts`: stage -> the tier that it calls first."""

    name: str
    weight: int
    firsts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """What an experiment compares. An answer is late after `late_s` seconds."""

    name: str
    arms: Sequence[ComparedArm]
    late_s: float

    def wire(self, key: ExperimentKey) -> dict[str, Any]:
        """This in its stored form."""
        return {**asdict(self), "digest": key.digest, "weights": list(key.weights)}


def read_compared(body: Mapping[str, Any]) -> tuple[ExperimentKey, Compared] | None:
    """What is compared and where it is counted, from its stored form; None if no replica can have written it."""
    try:
        weights = tuple(whole("a weight", weight, 1, 1000) for weight in body["weights"])
        names = [str(body["name"]), str(body["digest"]), *(str(arm["name"]) for arm in body["arms"])]
        arms = [
            ComparedArm(str(arm["name"]), whole("a weight", arm["weight"], 1, 1000), _firsts(arm["firsts"]))
            for arm in body["arms"]
        ]
        late_s = float(body["late_s"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if len(arms) != 2 or len(weights) != 2 or not all(map(_NAME.match, names)) or not 0 < late_s <= MAX_LATE_S:
        return None
    return ExperimentKey(names[0], names[1], weights), Compared(names[0], arms, late_s)


def _firsts(given: Mapping[str, Any]) -> dict[str, str]:
    return {str(stage): str(tier) for stage, tier in list(given.items())[:MAX_FIRSTS]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share among the first questions, or the first ratings, of units; with its confidence sequence."""

    up: int
    number: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """What was counted of an arm.

    `units`: users or sessions that asked, under the present weights. `questions`, and those of them that were
    `answered`, `degraded`, served by other tiers than assigned (`otherwise`), broken off as streams (`broken`), or that
    named nobody and drew an arm for themselves alone (`loose`). `p50_ms`, `p99_ms`: how long half of the answers, and
    99 of 100, took at most.
    """

    name: str
    weight: int
    firsts: Mapping[str, str]
    units: int
    questions: int
    answered: int
    degraded: int
    otherwise: int
    broken: int
    loose: int
    p50_ms: float | None
    p99_ms: float | None
    shares: Mapping[str, Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A share of the second arm less that of the first; with its confidence sequence. None before the first block.

    `alpha`: in how many experiments the interval may ever be wrong.
    """

    metric: str
    points: float | None
    low: float | None
    high: float | None
    blocks: int
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentReport:
    """What an experiment shows so far. Times are Unix seconds, by the clock of Redis.

    `ended`: the arm that an operator chose for all, or "". `better`: the arm that people like more, or None. `verdict`:
    the same in words. `guardrails`: what the second arm makes worse. `split_doubted`: whether the units are split
    otherwise than configured, by the e-value `split_evidence`: then something loses questions of one arm, and nothing
    here can be trusted. `warnings`: what else to know. `late_s`: an answer is late after it.
    """

    name: str
    started: float | None
    lost: float | None
    ended: str
    arms: tuple[ArmReport, ...]
    differences: tuple[Difference, ...]
    better: str | None
    verdict: str
    guardrails: tuple[str, ...]
    split_doubted: bool
    split_evidence: float
    late_s: float
    warnings: tuple[str, ...]


def report(told: Told, compared: Compared, split: str, *, left_out: int = 0) -> ExperimentReport:
    """The report of these counts. `split`: the present weights. `left_out`: units that a replica could not count."""
    counts = told.counts
    arms = tuple(_arm(counts, arm, place, split) for place, arm in enumerate(compared.arms))
    differences = tuple(_difference(counts, metric) for metric in METRICS)
    evidence = evidence_of_another_split([arm.units for arm in arms], [arm.weight for arm in compared.arms])
    started, lost = counts.get("started"), counts.get("lost")
    better = _better(differences[0], arms)
    return ExperimentReport(
        name=compared.name,
        started=None if not started else started / 1000,
        lost=None if not lost else lost / 1000,
        ended=told.ended,
        arms=arms,
        differences=differences,
        better=better,
        verdict=_verdict(differences[0], arms, better),
        guardrails=tuple(_worse(one, arms) for one in differences[1:] if one.high is not None and one.high < 0),
        split_doubted=evidence > 1 / SPLIT_ALPHA,
        split_evidence=evidence,
        late_s=compared.late_s,
        warnings=tuple(_warnings(arms, lost, left_out)),
    )


def _arm(counts: Counts, arm: ComparedArm, place: int, split: str) -> ArmReport:
    took = {n: int(counts[name]) for n in range(sketch.BUCKETS) if (name := latency(place, n)) in counts}
    totals = {what: int(counts.get(total(place, what), 0)) for what in TOTALS}
    return ArmReport(
        name=arm.name,
        weight=arm.weight,
        firsts=arm.firsts,
        units=int(counts.get(units(split, place), 0)),
        p50_ms=sketch.quantile_ms(took, 0.5),
        p99_ms=sketch.quantile_ms(took, 0.99),
        shares={metric: _share(*observed(counts, metric)[place]) for metric in METRICS},
        **totals,
    )


def _share(up: float, number: float) -> Share:
    low, high = share_interval(up, number)
    return Share(up=int(up), number=int(number), share=up / number if number else None, low=low, high=high)


def _difference(counts: Counts, metric: str) -> Difference:
    alpha = ALPHA if metric == LIKED else ALPHA / len(GUARDRAILS)
    blocks, information = (counts.get(difference(metric, what), 0) for what in ("blocks", "information"))
    if not information:
        return Difference(metric=metric, points=None, low=None, high=None, blocks=0, alpha=alpha)
    points, half = counts.get(difference(metric, "sum"), 0) / information, radius(information, alpha)
    low, high = max(-1.0, points - half), min(1.0, points + half)
    return Difference(metric=metric, points=points, low=low, high=high, blocks=int(blocks), alpha=alpha)


def _better(liked: Difference, arms: Sequence[ArmReport]) -> str | None:
    if liked.low is None or liked.high is None or liked.low <= 0 <= liked.high:
        return None
    return arms[1 if liked.low > 0 else 0].name


def _verdict(liked: Difference, arms: Sequence[ArmReport], better: str | None) -> str:
    first, second = (arm.name for arm in arms)
    if liked.low is None or liked.high is None:
        return "no verdict yet: too few people have rated answers of both arms"
    if better is None:
        less, more = _points(-liked.low), _points(liked.high)
        return f"no verdict yet: {second} may be liked between {less} points less and {more} points more than {first}"
    least, most = sorted((abs(liked.low), abs(liked.high)))
    other = first if better == second else second
    return f"{better} is liked more than {other}: by {_points(least)} to {_points(most)} points"


def _worse(guardrail: Difference, arms: Sequence[ArmReport]) -> str:
    least, most = sorted((abs(guardrail.low or 0.0), abs(guardrail.high or 0.0)))
    return f"{arms[1].name} {WORSE[guardrail.metric]}: by {_points(least)} to {_points(most)} points"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _warnings(arms: Sequence[ArmReport], lost: float | None, left_out: int) -> list[str]:
    warnings = []
    if lost:
        warnings.append("Redis lost what was counted earlier; the figures begin after that")
    if left_out:
        warnings.append(f"{left_out:,} users or sessions were left out here, of both arms: too many at a time")
    if sum(arm.units for arm in arms) > MANY_UNITS:
        warnings.append("so many users or sessions asked that many later ones are left out, of both arms")
    if any(arm.loose for arm in arms):
        share = sum(arm.loose for arm in arms) / sum(arm.questions for arm in arms)
        warnings.append(f"{share:.0%} of the questions named no user or session: each drew an arm for itself")
    return warnings
