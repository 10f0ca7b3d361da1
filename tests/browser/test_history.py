"""Histories: one scale, a time axis, and the value under the pointer or the focus."""

from __future__ import annotations

import re

import pytest

from tests.browser.dashboard_page import DashboardPage
from tests.browser.fleets_on_the_page import FLEETS, show
from tests.browser.test_actions import COUNT_UPDATES

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN = "#circuits tr.open .spark"


async def test_the_value_under_the_pointer_is_told(dashboard_page: DashboardPage):
    page = dashboard_page.page
    await show(page, FLEETS["one open"])
    box = await page.locator(OPEN).bounding_box()
    assert box is not None
    for share, told in ((0.95, "open · 90 % failed, 10 % slow of 12 calls"), (0.2, "closed · 0 % failed")):
        await page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        await dashboard_page.until_text(page.locator("#reading"), told)
    await page.mouse.move(0, 0)
    await page.locator("#reading").wait_for(state="hidden")


async def test_the_keyboard_reads_every_value_also_while_the_page_is_updated(dashboard_page: DashboardPage):
    page = dashboard_page.page
    await show(page, FLEETS["one open"])
    chart = page.locator(OPEN)
    await chart.focus()
    last = await chart.get_attribute("aria-valuetext")
    assert "open · 90 % failed" in (last or "")
    assert await page.locator("#reading").text_content() == last
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("PageDown")
    assert await chart.get_attribute("aria-valuenow") == "-11"
    assert await page.evaluate(COUNT_UPDATES, 30) == 30
    assert await chart.get_attribute("aria-valuenow") == "-11"
    assert await chart.evaluate("(node) => node === document.activeElement"), "an update moved the focus"
    await page.keyboard.press("Home")
    assert await chart.get_attribute("aria-valuenow") == "-180"
    assert "closed" in (await chart.get_attribute("aria-valuetext") or "")
    await page.keyboard.press("Tab")
    await page.locator("#reading").wait_for(state="hidden")


async def test_every_history_has_the_same_scale(dashboard_page: DashboardPage):
    page = dashboard_page.page
    await show(page, FLEETS["many"])
    starts = await page.locator("#circuits .spark rect").evaluate_all(
        "(all) => all.map((band) => band.getAttribute('x'))"
    )
    assert len(starts) > 5
    assert len(set(starts)) == 1, "what began at one moment is drawn at several places"
    edges = await page.locator("#circuits .spark").evaluate_all(
        "(all) => all.map((chart) => [chart.getAttribute('aria-valuemin'), chart.getAttribute('aria-valuemax')].join())"
    )
    assert set(edges) == {"-180,0"}


async def test_the_answers_of_every_stage_are_drawn_to_the_same_scale_and_can_be_read(dashboard_page: DashboardPage):
    page = dashboard_page.page
    await show(page, FLEETS["one open"])
    tops = set()
    for stage in ("generator", "embedder", "retriever"):
        await page.get_by_label("Tiers of the").select_option(stage)
        tops.add(await page.locator("#traffic .top").text_content())
    assert tops == {"top: 60.0 a second"}
    await page.get_by_label("Tiers of the").select_option("embedder")
    await page.locator("#traffic .chart").focus()
    told = await page.locator("#reading").text_content() or ""
    assert re.search(r"primary 22\.0/s, secondary 38\.0/s · p50 110 ms, p99 420 ms", told)


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_axis_and_the_legend_are_visible(dashboard_page: DashboardPage, width: int):
    await dashboard_page.page.set_viewport_size({"width": width, "height": 900})
    await show(dashboard_page.page, FLEETS["one open"])
    axes = dashboard_page.page.locator("#circuits .axis:visible")
    assert await axes.first.text_content() == "3 min agonow"
    legend = await dashboard_page.page.locator("#circuits .legend").inner_text()
    assert all(word in legend for word in ("failed", "slow", "open", "half-open", "0 to 100 %", "3 minutes"))
