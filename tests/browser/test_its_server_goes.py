"""A page whose server is gone says since when, shows nothing old as if it were new, and comes back by itself."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.reader import Reader
from tests.browser.server import Server
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_the_page_shows_a_lost_connection_and_reconnects(
    reader: Reader, fleet: Fleet, dashboard: Server, how: str
):
    verdict = reader.page.get_by_role("status")
    await dashboard.started()
    await reader.open(dashboard.url)
    await reader.until_says(verdict, "All circuits closed")
    loaded = await reader.page.evaluate("() => performance.timeOrigin")

    dashboard.stop() if how == "killed" else dashboard.pause()
    await reader.until_says(verdict, "Disconnected since")
    assert "stale" in (await reader.page.locator("body").get_attribute("class") or "")

    # What changes meanwhile is not seen, and shown once the server is back.
    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await fleet.replicas[0].ask()
    await asyncio.gather(*(replica.ask() for replica in fleet.replicas))
    await dashboard.started() if how == "killed" else dashboard.resume()

    await reader.page.locator("body:not(.stale)").wait_for(timeout=30_000)  # it tries again ten seconds apart at most
    await reader.until_says(reader.page.locator("#timeline"), f"{CIRCUIT}: closed → open")
    assert await reader.page.evaluate("() => performance.timeOrigin") == loaded, "the page was loaded anew"
