"""Time from a transition of a circuit in Redis to the pixel: p50 and p99 over 50 trips.

    python -m benchmarks.transition_to_pixel [--trips 50] [--page front|replica]

Three real replicas behind one port, with Redis and the simulated provider, answer questions; Chromium shows the page.
In each trip the embedding service fails until its circuit opens, and is then mended, and the circuit closed by hand.
The time is from the transition, as Redis stamped it (in whole milliseconds), until the browser has painted the frame in
which the circuit's row says the new state. All of it is the clock of this machine. After each trip the page is told to
change one word: the time until that is painted is the cost of browser and machine alone. The target is 300 ms on
a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import time
from typing import Any

import aiohttp
from playwright.async_api import Page, async_playwright

from ha_rag.drill.configuration import FULL
from ha_rag.drill.fleet import DrillFleet, running_fleet
from ha_rag.simulation.questions import LoadProfile, ask_open

CIRCUIT = "embedder.primary"
TARGET_MS = 300.0
PER_S = 20.0
"""Questions a second: the load of the fleet, and how soon failures are noticed."""
PAUSE_S = 1.1
"""Pause before each trip, so that it begins at any moment of the page's updates, which come once a second."""

RECORDER = """(circuit) => {
    window.painted = [];
    window.waiting = [];
    let last = "";
    const check = () => {
        const rows = [...document.querySelectorAll("#circuits tbody tr")];
        const row = rows.find((tr) => tr.querySelector("th").textContent === circuit);
        const state = row?.className ?? "";
        if (!state || state === last) return;
        last = state;
        // The frame that shows it is painted before the first task after its animation callbacks.
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => {
                window.painted.push({ state, at: (performance.timeOrigin + performance.now()) / 1000 });
                window.waiting.splice(0).forEach((retry) => retry());
            };
            port2.postMessage(null);
        });
    };
    const table = document.querySelector("#circuits tbody");
    new MutationObserver(check).observe(table, { subtree: true, childList: true, attributes: true });
    check();
}"""
PAINTED = """([state, after]) => new Promise((resolve) => {
    const look = () => {
        const found = window.painted.find((each) => each.state === state && each.at >= after);
        if (found) resolve(found.at);
        else window.waiting.push(look);
    };
    look();
})"""

BARE = """() => new Promise((resolve) => {
    const head = document.querySelector("#circuits-title");
    head.textContent = head.textContent === "Circuits" ? "Circuits " : "Circuits";
    requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve((performance.timeOrigin + performance.now()) / 1000);
        port2.postMessage(null);
    });
})"""


async def opened_at(session: aiohttp.ClientSession, url: str) -> float:
    """When the circuit opened last, as Redis stamped the event."""
    async with session.get(f"{url}/v1/fleet") as reply:
        events: list[dict[str, Any]] = (await reply.json())["timeline"]
    newest = next(event for event in events if (event["circuit"], event["after"]) == (CIRCUIT, "open"))
    return int(newest["id"].partition("-")[0]) / 1000


async def close_by_hand(session: aiohttp.ClientSession, url: str) -> None:
    """Closes the circuit, and leaves it to itself again."""
    path = f"{url}/v1/circuits/{CIRCUIT}/override"
    async with session.put(path, json={"mode": "closed", "reason": "for the next trip"}) as reply:
        reply.raise_for_status()
    async with session.delete(path, json={}) as reply:
        reply.raise_for_status()


async def trip(fleet: DrillFleet, page: Page, session: aiohttp.ClientSession, number: int) -> tuple[float, float]:
    """One trip: milliseconds from the transition to `open` until it was painted, and of a bare change of the page."""
    url = next(iter(fleet.replicas.values()))
    begun = await page.evaluate("() => (performance.timeOrigin + performance.now()) / 1000")
    await fleet.start_fault("embeddings", mode="error")
    painted = await page.evaluate(PAINTED, ["open", begun])
    opened = await opened_at(session, url)
    await fleet.end_faults()
    await close_by_hand(session, url)
    await page.evaluate(PAINTED, ["closed", painted])
    await asyncio.sleep(PAUSE_S + 0.037 * (number % 27))
    told = time.time()
    bare = await page.evaluate(BARE)
    return 1000 * (painted - opened), 1000 * (bare - told)


async def measure(trips: int, where: str) -> list[tuple[float, float]]:
    """All trips."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("this needs chromium on the PATH")
    async with (
        running_fleet(dict(os.environ), FULL) as fleet,
        aiohttp.ClientSession() as session,
        async_playwright() as playwright,
    ):
        stop = asyncio.Event()
        load = asyncio.create_task(ask_open(LoadProfile(url=fleet.url, for_s=3600.0), PER_S, stop=stop))
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(fleet.url if where == "front" else list(fleet.replicas.values())[-1])
        await page.locator("#circuits tbody tr").first.wait_for()
        await page.evaluate(RECORDER, CIRCUIT)
        times = [await trip(fleet, page, session, number) for number in range(trips)]
        stop.set()
        await load
        await browser.close()
    return times


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--trips", type=int, default=50)
    arguments.add_argument("--page", choices=["front", "replica"], default="front")
    given = arguments.parse_args()
    times = asyncio.run(measure(given.trips, given.page))
    load = os.getloadavg()[0]
    print(f"{len(times)} trips, page of the {given.page}; {load:.0f} processes wanted the {os.cpu_count()} cores")
    show("transition to pixel", [whole for whole, _ in times])
    show("bare change", [bare for _, bare in times])
    print(f"target: transition to pixel p99 at most {TARGET_MS:.0f} ms")


def show(title: str, times: list[float]) -> None:
    """Prints a row."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    print(f"{title:22}p50 {statistics.median(ordered):4.0f} ms   p99 {p99:4.0f} ms   max {ordered[-1]:4.0f} ms")


if __name__ == "__main__":
    main()
