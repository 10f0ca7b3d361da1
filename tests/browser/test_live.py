"""Live updates of the page."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.dashboard_page import DashboardPage, colour
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"
MAX_DELAY_S = 1.0


async def test_the_page_of_a_healthy_fleet_says_so_without_console_errors(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.open(fleet.replicas[0].url)

    await dashboard_page.until_text(dashboard_page.page.get_by_role("status"), "2 of 2 replicas")
    for circuit in (CIRCUIT, "retriever.lexical", "generator.extractive"):
        await dashboard_page.until_text(dashboard_page.circuit(circuit), "closed")
    for replica in fleet.replicas:
        await dashboard_page.until_text(dashboard_page.replica(replica.name), "fresh")
    await dashboard_page.until_text(dashboard_page.page.locator("#redis"), "reachable")
    assert dashboard_page.problems == []
    assert dashboard_page.origins == {fleet.replicas[0].url}


async def test_an_opened_circuit_turns_red_within_a_second_and_names_the_replica(
    dashboard_page: DashboardPage, fleet: Fleet
):
    failing, other = fleet.replicas
    await dashboard_page.open(other.url)
    opened = await dashboard_page.time_of(CIRCUIT, "open")
    loaded = await dashboard_page.page.evaluate("() => performance.timeOrigin")
    closed_colour = await colour(dashboard_page.circuit(CIRCUIT).locator(".state"))

    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await failing.ask()
    shown_at = await asyncio.wait_for(opened, 10)

    red, green, blue = await colour(dashboard_page.circuit(CIRCUIT).locator(".state"))
    report = await other.circuit(CIRCUIT)
    assert 0 <= shown_at - report["changed_at"] < MAX_DELAY_S
    assert (red > 2 * green, red > 2 * blue) == (True, True), (red, green, blue)
    assert closed_colour[1] > closed_colour[0]
    await dashboard_page.until_text(dashboard_page.page.locator("#troubles"), f"{CIRCUIT} open for")
    await dashboard_page.until_text(dashboard_page.circuit(CIRCUIT), failing.name)
    await dashboard_page.until_text(dashboard_page.page.locator("#timeline"), f"{CIRCUIT}: closed → open")
    assert await dashboard_page.page.evaluate("() => performance.timeOrigin") == loaded, "the page was reloaded"
    assert dashboard_page.problems == []
