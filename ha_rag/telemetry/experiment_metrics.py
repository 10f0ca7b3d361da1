"""The gauges of the experiment: every replica tells the same numbers of the whole fleet. Do not sum them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import Metric

from ha_rag.telemetry.experiment_report import ExperimentReport

Gauge = Callable[[str, str, tuple[str, ...], Iterable[tuple[tuple[str, ...], float]]], Metric]

COUNTED = ("questions", "answered", "degraded", "otherwise", "broken", "units")
BOUNDS = ("value", "low", "high")


def experiment_gauges(found: ExperimentReport | None, gauge: Gauge) -> Iterator[Metric]:
    """The gauges of an experiment, made by `gauge` from name, help, labels and samples; none without an experiment."""
    if found is None:
        return
    counted = [((found.name, arm.name, what), float(getattr(arm, what))) for arm in found.arms for what in COUNTED]
    help_text = "Questions of the whole fleet by arm of the experiment, and the users or sessions that asked them."
    yield gauge("fleet_experiment_questions", help_text, ("experiment", "arm", "what"), counted)
    shares = [
        ((found.name, arm.name, metric, bound), value)
        for arm in found.arms
        for metric, share in arm.shares.items()
        if share.share is not None
        for bound, value in zip(BOUNDS, (share.share, share.low, share.high), strict=True)
    ]
    help_text = "Share among first questions or ratings by arm, with its interval, which holds at every look."
    yield gauge("fleet_experiment_share_ratio", help_text, ("experiment", "arm", "metric", "bound"), shares)
    differences = [
        ((found.name, one.metric, bound), value)
        for one in found.differences
        for bound, value in zip(BOUNDS, (one.points, one.low, one.high), strict=True)
        if value is not None
    ]
    help_text = "Share of the second arm less that of the first, with its interval, which holds at every look."
    yield gauge("fleet_experiment_difference_ratio", help_text, ("experiment", "metric", "bound"), differences)
    doubted = [((found.name,), float(found.split_doubted))]
    yield gauge(
        "fleet_experiment_split_doubted", "1 if users are split otherwise than configured.", ("experiment",), doubted
    )
