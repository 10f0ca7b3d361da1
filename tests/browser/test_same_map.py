"""The map of reports and documents is the one that the page draws."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.dashboards.map_drawing import map_drawing
from ha_rag.monitor.snapshot import FleetSnapshot, StagePicture
from ha_rag.monitor.tier_pictures import stage_pictures
from ha_rag.telemetry import sketch
from tests.browser.dashboard_page import DashboardPage
from tests.browser.fleets_on_the_page import FLEETS, show
from tests.monitor.made_up_fleets import made_up_fleets

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDTHS = (240, 323, 639, 640, 977, 1281)
DRAW = """async ([stages, circuits, width]) => {
    const { mapDrawing } = await import("/web/map_drawing.js");
    return { width, ...mapDrawing(stages, circuits, width) };
}"""


def stages_of(fleet: FleetSnapshot, number: int) -> tuple[StagePicture, ...]:
    """Its stages, with latencies of all magnitudes."""
    latencies = {c.name: {sketch.bucket(0.01 * 3.7 ** (n + number)): 5} for n, c in enumerate(fleet.circuits)}
    return stage_pictures(fleet, latencies)


async def test_every_fleet_is_drawn_the_same_at_every_width(dashboard_page: DashboardPage):
    await show(dashboard_page.page, FLEETS["healthy"])
    fleets = [*FLEETS.values(), *(replace(f, stages=stages_of(f, n)) for n, f in enumerate(made_up_fleets()))]
    drawn = 0
    for number, fleet in enumerate(fleet for fleet in fleets if fleet.stages):
        width = WIDTHS[number % len(WIDTHS)]
        ours = as_json(map_drawing(fleet.stages, fleet.circuits, width))
        given = [as_json(fleet.stages), as_json(fleet.circuits), width]
        assert await dashboard_page.page.evaluate(DRAW, given) == ours
        drawn += 1
    assert drawn > 60


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=dataclasses.asdict))
