"""Accessibility and layout: light and dark theme, phone, screen readers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.browser.dashboard_page import DashboardPage
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"
SHAPES: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True},
}


@pytest_asyncio.fixture(loop_scope="session", params=SHAPES)
async def shaped(request: pytest.FixtureRequest, chromium: Browser) -> AsyncIterator[DashboardPage]:
    context = await chromium.new_context(**SHAPES[request.param])
    yield DashboardPage(await context.new_page())
    await context.close()


async def test_the_page_is_accessible_during_an_outage(shaped: DashboardPage, fleet: Fleet):
    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await fleet.replicas[0].ask()
    await shaped.open(fleet.replicas[0].url)
    await shaped.until_text(shaped.circuit(CIRCUIT), "open")
    await shaped.ask("How does a circuit recover?")

    assert not await shaped.scrolls_sideways()
    report = await Axe().run(shaped.page)
    violations = [each for each in report.response["violations"] if each["impact"] in ("serious", "critical")]
    assert [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"][:300]) for each in violations
    ] == []
    assert shaped.problems == []
