"""A page that loses its server shows since when, marks its content as stale, and reconnects."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.dashboard_page import DashboardPage
from tests.browser.dashboard_process import DashboardProcess
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"


@pytest.mark.parametrize("outage", ["killed", "frozen"])
async def test_the_page_shows_a_lost_connection_and_reconnects(
    dashboard_page: DashboardPage, fleet: Fleet, dashboard: DashboardProcess, outage: str
):
    verdict = dashboard_page.page.get_by_role("status")
    await dashboard.started()
    await dashboard_page.open(dashboard.url)
    await dashboard_page.until_text(verdict, "2 of 2 replicas")
    loaded = await dashboard_page.page.evaluate("() => performance.timeOrigin")

    dashboard.stop() if outage == "killed" else dashboard.pause()
    await dashboard_page.until_text(verdict, "Disconnected since")
    assert "stale" in (await dashboard_page.page.locator("body").get_attribute("class") or "")

    assert await dashboard_page.page.locator("#troubles").get_attribute("class") == "stale", "old problems look live"

    # Changes during the outage are shown after the page has reconnected.
    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await fleet.replicas[0].ask()
    await asyncio.gather(*(replica.ask() for replica in fleet.replicas))
    await dashboard.started() if outage == "killed" else dashboard.resume()

    await dashboard_page.page.locator("body:not(.stale)").wait_for(
        timeout=30_000
    )  # it retries at least every ten seconds
    await dashboard_page.until_text(dashboard_page.page.locator("#timeline"), f"{CIRCUIT}: closed → open")
    assert await dashboard_page.page.evaluate("() => performance.timeOrigin") == loaded, "the page was reloaded"
