"""The page and the terminal show the same headline, problems and colour of a fleet, and the tab the title and icon."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any

import pytest
from rich.console import Console

from ha_rag.dashboards.terminal import Viewport, draw
from ha_rag.harmless import harmless
from ha_rag.monitor.impact import COLOURS, impact
from ha_rag.monitor.snapshot import FleetSnapshot, Impact
from tests.browser.dashboard_page import DashboardPage
from tests.fleet.processes import Fleet
from tests.monitor.made_up_fleets import made_up_fleets

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOW = """async (impact) => {
    const { showImpact } = await import("/web/impact.js");
    showImpact(impact);
    const verdict = document.querySelector("#verdict");
    return {
      headline: verdict.textContent,
      lines: [...document.querySelectorAll("#troubles li")].map((li) => li.textContent),
      title: document.title,
      icon: document.querySelector("link[rel=icon]").getAttribute("href"),
      colour: getComputedStyle(verdict).color,
    };
}"""
ANSI = {"32": "green", "33": "amber", "1;31": "red"}


async def test_a_hundred_fleets_look_the_same_in_both(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.page.route("**/v1/events*", lambda route: route.abort())  # nothing else draws the head
    await dashboard_page.page.emulate_media(reduced_motion="reduce")  # colours change at once
    await dashboard_page.page.goto(fleet.replicas[0].url)
    levels = set()
    for made_up in made_up_fleets():
        expected = impact(made_up)
        levels.add(expected.level)
        shown = await dashboard_page.page.evaluate(SHOW, dataclasses.asdict(expected))
        assert named(shown.pop("colour")) == COLOURS[expected.level]
        assert shown == on_the_page(expected)
        assert in_the_terminal(made_up) == (COLOURS[expected.level], lines(expected))
    assert levels == set(COLOURS), "the fleets do not show every level"


def on_the_page(expected: Impact) -> dict[str, Any]:
    return {
        "headline": harmless(expected.headline),
        "lines": lines(expected)[1:],
        "title": harmless(expected.title),
        "icon": f"/web/icon-{expected.level}.svg",
    }


def lines(expected: Impact) -> list[str]:
    return [harmless(text) for text in (expected.headline, *expected.problems, *expected.notes)]


def in_the_terminal(made_up: FleetSnapshot) -> tuple[str, list[str]]:
    """Colour and lines of the head of `ha-rag watch`, without its last line, which says who told it."""
    out = io.StringIO()
    console = Console(file=out, width=400, force_terminal=True, color_system="standard")
    console.print(draw(made_up, Viewport(width=400, height=60)))
    head = out.getvalue()
    first, *rest = head.splitlines()
    code = first.partition("\x1b[")[2].partition("m")[0]
    told = [bare(line) for line in rest[: len(lines(impact(made_up))) - 1]]
    return ANSI[code], [bare(first)[2:], *told]


def bare(line: str) -> str:
    """A line without its colours and the indentation."""
    text = "".join(part.partition("m")[2] if at else part for at, part in enumerate(line.split("\x1b[")))
    return text.strip()


def named(css: str) -> str:
    """The name of a colour of the page, such as `rgb(179, 32, 26)`."""
    red, green, _ = (int(number) for number in re.findall(r"[0-9]+", css))
    if green > red:
        return "green"
    return "red" if green < red / 2 else "amber"
