"""`make pictures`: screenshots of the dashboard for docs/images, and its map, of a real fleet during an outage."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, async_playwright

from ha_rag.dashboards.map_drawing import STYLE, map_drawing, svg
from ha_rag.drill.configuration import FULL
from ha_rag.drill.fleet import running_fleet
from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.simulation.load_stats import QuestionResult
from ha_rag.simulation.questions import LoadProfile, ask_open
from tests.browser.conftest import OPTIONS, require_chromium
from tests.waiting import until

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BEFORE, DURING = 400, 120
MAP_WIDTH = 900
SHAPES: dict[str, dict[str, Any]] = {
    "dashboard-light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dashboard-dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "dashboard-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True},
}


async def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    async with running_fleet(dict(os.environ), FULL) as fleet, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require_chromium(), args=OPTIONS)
        stop, answers = asyncio.Event(), list[QuestionResult]()
        stream = LoadProfile(url=fleet.url, for_s=300.0)
        load = asyncio.create_task(ask_open(stream, 20.0, stop=stop, heard=answers.append))
        pages = [(name, await _opened(browser, fleet.url, shape)) for name, shape in SHAPES.items()]
        await until(lambda: len(answers) >= BEFORE, within_s=60)
        await fleet.start_fault("embeddings", mode="error")
        await until(lambda: len(answers) >= BEFORE + DURING, within_s=60)
        await pages[0][1].locator("#circuits tr.open").first.wait_for()
        seen = await fleet.picture()
        if seen is None:
            raise RuntimeError("no replica shows the fleet")
        (IMAGES / "map.svg").write_text(map_file(seen))
        for name, page in pages:
            await page.locator("#circuits tr.open").first.wait_for()
            await page.evaluate("() => scrollTo(0, 0)")
            _save(IMAGES / f"{name}.png", await page.screenshot())
        stop.set()
        await load
        await browser.close()


def map_file(picture: FleetSnapshot) -> str:
    """The map as a file of its own, in light colours on a light ground, whatever page it is in."""
    light = STYLE.partition("@media")[0] + STYLE.partition("} }\n")[2]
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    drawn = svg(map_drawing(picture.stages, picture.circuits, MAP_WIDTH), f"<style>{light}</style>{ground}")
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _save(file: Path, picture: bytes) -> None:
    """Saves with a palette: the page has few colours, and the file is a third of the size."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


async def _opened(browser: Browser, url: str, shape: dict[str, Any]) -> Any:
    page = await (await browser.new_context(**shape)).new_page()
    await page.goto(url)
    await page.locator("#circuits tbody tr").first.wait_for()
    await page.get_by_label("Tiers of the").select_option("embedder")
    await page.get_by_role("button", name="Ask", exact=True).click()
    return page


if __name__ == "__main__":
    asyncio.run(main())
