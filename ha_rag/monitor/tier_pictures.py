"""The map: each stage with its tiers in order of preference, and what went through them within the last minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ha_rag.monitor.snapshot import FleetSnapshot, StagePicture, TierPicture, TrafficPoint
from ha_rag.monitor.stages import FleetStage, stages
from ha_rag.telemetry import sketch

MINUTE_S = 60.0

Latencies = Mapping[str, sketch.Counts]
"""Circuit -> the sketch of its tier's successful attempts."""


def stage_pictures(picture: FleetSnapshot, latencies: Latencies) -> tuple[StagePicture, ...]:
    """The stages of `picture`, in order. `latencies`: of the last minute."""
    recent = [point for point in picture.traffic.history if point.at > picture.at - MINUTE_S]
    return tuple(_stage(stage, recent, latencies) for stage in stages(picture))


def _stage(stage: FleetStage, recent: Iterable[TrafficPoint], latencies: Latencies) -> StagePicture:
    answers: dict[str, int] = {}
    for point in recent:
        for tier, count in point.served.get(stage.name, {}).items():
            answers[tier] = answers.get(tier, 0) + count
    whole = sum(answers.values())
    names = [*stage.tiers, *([stage.last_resort] if answers.get(stage.last_resort) else [])]
    return StagePicture(
        name=stage.name,
        tiers=tuple(
            TierPicture(
                name=name,
                circuit=f"{stage.name}.{name}" if name in stage.tiers else "",
                answers=answers.get(name, 0),
                share=round(answers.get(name, 0) / whole, 4) if whole else 0.0,
                p50_ms=quantile(latencies.get(f"{stage.name}.{name}", {}), 0.5),
                p99_ms=quantile(latencies.get(f"{stage.name}.{name}", {}), 0.99),
            )
            for name in names
        ),
    )


def quantile(latencies: sketch.Counts, share: float) -> float | None:
    """The quantile in milliseconds, rounded for display; None without samples."""
    found = sketch.quantile_ms(latencies, share)
    return None if found is None else round(found, 2)
