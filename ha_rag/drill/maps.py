"""The maps of a drill's report: the way of the answers through the tiers, at the end of each outage.

They are the drawing of the dashboard. States are those of the fleet's snapshot at that moment, latencies those of its
last minute; shares are of the answers to questions that were asked during the outage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html import escape

from ha_rag.dashboards.map_drawing import map_drawing, svg
from ha_rag.drill.recording import Recording, Span
from ha_rag.harmless import harmless
from ha_rag.monitor.snapshot import FleetSnapshot, StagePicture, TierPicture

WIDTH = 980


def maps(recording: Recording) -> Iterator[str]:
    """A part of the page for each outage whose fleet could be seen at its end."""
    if not recording.pictures:
        return
    yield "<h2>The way of the answers through the tiers</h2>"
    yield (
        "<p class=note>At the end of each outage: share of the answers during it, and p50 / p99 of successful attempts "
        "within the minute before. A line is as thick as the traffic.</p>"
    )
    outages = {title: span for title, span in recording.phases if span.what == "outage"}
    for title, picture in recording.pictures:
        stages = stages_during(recording, outages[title], picture)
        if stages:
            drawn = svg(map_drawing(stages, picture.circuits, WIDTH))
            yield f"<h3>{escape(harmless(title))}</h3><div class=scroll>{drawn}</div>"


def stages_during(recording: Recording, outage: Span, picture: FleetSnapshot) -> tuple[StagePicture, ...]:
    """The stages of `picture` with the answers to questions that were asked during `outage`."""
    served = Counter[tuple[str, str]]()
    for at_s, reply in recording.replies:
        if outage.from_s <= at_s <= outage.to_s and reply.answered:
            served.update(reply.served_by.items())
    return tuple(replace(stage, tiers=_tiers(stage, served)) for stage in picture.stages)


def _tiers(stage: StagePicture, served: Counter[tuple[str, str]]) -> tuple[TierPicture, ...]:
    whole = sum(number for (name, _), number in served.items() if name == stage.name)
    shown = {tier.name for tier in stage.tiers}
    resorts = [tier for name, tier in served if name == stage.name and tier not in shown]
    unseen = [TierPicture(name=tier, circuit="", answers=0, share=0.0, p50_ms=None, p99_ms=None) for tier in resorts]
    counted = [(tier, served[stage.name, tier.name]) for tier in (*stage.tiers, *unseen)]
    return tuple(
        replace(tier, answers=number, share=round(number / whole, 4) if whole else 0.0)
        for tier, number in counted
        if number or tier.circuit
    )
