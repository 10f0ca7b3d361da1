"""What somebody on call sees while things happen, without touching anything."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.reader import Reader, colour
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"
AT_MOST_S = 1.0


async def test_the_page_of_a_healthy_fleet_says_so_without_console_errors(reader: Reader, fleet: Fleet):
    await reader.open(fleet.replicas[0].url)

    await reader.until_says(reader.page.get_by_role("status"), "All circuits closed")
    for circuit in (CIRCUIT, "retriever.lexical", "generator.extractive"):
        await reader.until_says(reader.circuit(circuit), "closed")
    for replica in fleet.replicas:
        await reader.until_says(reader.replica(replica.name), "fresh")
    await reader.until_says(reader.page.locator("#redis"), "reachable")
    assert reader.complaints == []
    assert reader.asked == {fleet.replicas[0].url}


async def test_an_opened_circuit_turns_red_within_a_second_and_names_the_replica(reader: Reader, fleet: Fleet):
    struck, other = fleet.replicas
    await reader.open(other.url)
    turned = await reader.watch(CIRCUIT, "open")
    loaded = await reader.page.evaluate("() => performance.timeOrigin")
    closed_colour = await colour(reader.circuit(CIRCUIT).locator(".state"))

    await fleet.provider.fail("embeddings")
    for _ in range(3):
        await struck.ask()
    seen_at = await asyncio.wait_for(turned, 10)

    red, green, blue = await colour(reader.circuit(CIRCUIT).locator(".state"))
    told = await other.circuit(CIRCUIT)
    assert 0 <= seen_at - told["changed_at"] < AT_MOST_S
    assert (red > 2 * green, red > 2 * blue) == (True, True), (red, green, blue)
    assert closed_colour[1] > closed_colour[0]
    await reader.until_says(reader.page.get_by_role("status"), CIRCUIT)
    await reader.until_says(reader.circuit(CIRCUIT), struck.name)
    await reader.until_says(reader.page.locator("#timeline"), f"{CIRCUIT}: closed → open")
    assert await reader.page.evaluate("() => performance.timeOrigin") == loaded, "the page was loaded anew"
    assert reader.complaints == []
