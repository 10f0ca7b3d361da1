"""The map and the head of the page, in ten made-up states at six widths, light and dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from tests.browser.fleets_on_the_page import FLEETS, show

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDTHS = (360, 390, 768, 1024, 1280, 1920)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SAMPLE = {("one open", width, "light") for width in WIDTHS} | {
    ("many", 360, "dark"), ("many", 768, "light"), ("last resort", 1024, "dark"), ("half-open quiet", 390, "light"),
}  # fmt: skip
MATRIX = [
    pytest.param(*shape, marks=[] if shape in SAMPLE else pytest.mark.long)
    for shape in product(FLEETS, WIDTHS, SCHEMES)
]

LAYOUT = """() => {
    const boxes = (selector) => [...document.querySelectorAll(selector)].map((node) => node.getBoundingClientRect());
    const nodes = boxes("#map .node rect");
    const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
    const lines = (node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
    };
    return {
        sideways: document.documentElement.scrollWidth > innerWidth,
        overlaps: nodes.some((a, n) => nodes.slice(n + 1).some((b) => !apart(a, b))),
        outside: nodes.filter((box) => box.left < 0 || box.right > innerWidth).length,
        spilling: [...document.querySelectorAll("#map .node")].filter((node) => {
            const right = node.querySelector("rect").getBoundingClientRect().right;
            return [...node.querySelectorAll("text")].some((text) => text.getBoundingClientRect().right > right);
        }).map((node) => node.textContent),
        wrapped: [...document.querySelectorAll("#circuits tbody th, #replicas tbody th")]
            .filter((name) => lines(name) > 1).map((name) => name.textContent),
        cut: [...document.querySelectorAll(":is(#circuits, #replicas) tbody td")]
            .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent),
        first: document.querySelector("main > section:not([hidden])").id,
    };
}"""


@asynccontextmanager
async def page_of(chromium: Browser, fleet: str, width: int, scheme: Scheme = "light") -> AsyncIterator[Page]:
    context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await show(page, FLEETS[fleet])
    yield page
    await context.close()
    assert problems == []


@pytest.mark.parametrize(("fleet", "width", "scheme"), MATRIX)
async def test_everything_fits_and_is_readable(chromium: Browser, fleet: str, width: int, scheme: Scheme):
    async with page_of(chromium, fleet, width, scheme) as page:
        nothing: dict[str, list[str]] = {"spilling": [], "wrapped": [], "cut": []}
        fits = {"sideways": False, "overlaps": False, "outside": 0, **nothing, "first": "map"}
        assert await page.evaluate(LAYOUT) == fits
        report = await Axe().run(page)
        serious = [each for each in report.response["violations"] if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["failureSummary"][:300]) for each in serious] == []


async def nodes(page: Page) -> dict[str, dict[str, Any]]:
    """Name of a tier -> its texts and the classes of its node."""
    found = await page.locator("#map .node").evaluate_all(
        "(all) => all.map((node) => ({ state: node.classList[1], texts: [...node.querySelectorAll('text')]"
        ".map((text) => text.textContent) }))"
    )
    return {node["texts"][0].split()[1]: node for node in found}


@pytest.mark.parametrize("width", [360, 1280])
async def test_each_tier_shows_its_state_its_share_and_its_latencies(chromium: Browser, width: int):
    async with page_of(chromium, "one open", width) as page:
        found = await nodes(page)
        assert found["primary"] == {"state": "open", "texts": ["■ primary", "37 % · open", "14 ms / 14 ms"]}
        assert found["secondary"]["texts"][1] == "63 %"
        assert found["cloud"]["texts"] == ["● cloud", "100 %", "828 ms / 828 ms"]
        assert (await page.locator("#map svg").get_attribute("aria-label") or "").startswith(
            "the way of the last minute's answers: embedder: primary open, 37 %, secondary closed, 63 %; retriever: "
        )


async def test_lines_are_as_thick_as_the_traffic_and_the_unused_ones_thin(chromium: Browser):
    async with page_of(chromium, "one open", 1280) as page:
        thickness = await page.locator("#map .line").evaluate_all(
            "(all) => all.map((line) => [line.classList[1], Number(line.getAttribute('stroke-width'))])"
        )
        widest = {kind: max(wide for each, wide in thickness if each == kind) for kind, _ in thickness}
        assert widest["first"] > widest["fallback"] > widest["unused"] == 1


@pytest.mark.parametrize(
    ("fleet", "colour", "icon"),
    [("healthy", "closed", "well"), ("half-open quiet", "half_open", "reduced"), ("many", "open", "failing")],
)
async def test_the_head_and_the_tab_show_the_level(chromium: Browser, fleet: str, colour: str, icon: str):
    async with page_of(chromium, fleet, 1280) as page:
        told = FLEETS[fleet].impact
        assert told is not None
        assert await page.locator("#verdict").get_attribute("class") == colour
        assert await page.locator("link[rel=icon]").get_attribute("href") == f"/web/icon-{icon}.svg"
        assert await page.title() == told.title
