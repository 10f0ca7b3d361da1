"""Orders on the page: what they will do is said before, what was in force before comes back with one button."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.dashboard_page import DashboardPage
from tests.browser.test_actions import CIRCUIT, set_override
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEAST_DESTRUCTIVE_FIRST = ["shadow", "closed", "disabled", "open"]


@pytest_asyncio.fixture(loop_scope="session")
async def page_of_one(dashboard_page: DashboardPage, fleet: Fleet) -> AsyncIterator[DashboardPage]:
    """The page of the first replica; no override is left at the end."""
    await dashboard_page.open(fleet.replicas[0].url)
    yield dashboard_page
    await fleet.replicas[0].end_order(CIRCUIT)


async def override_of(fleet: Fleet) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (await fleet.replicas[1].circuit(CIRCUIT))["override"]
    return found


async def test_each_order_says_what_it_would_do_before_it_is_given(page_of_one: DashboardPage, fleet: Fleet):
    page, dialog = page_of_one.page, page_of_one.page.get_by_role("dialog")
    await page.get_by_role("button", name=f"Override {CIRCUIT}").click()
    orders = await dialog.get_by_role("radio").evaluate_all("(all) => all.map((radio) => radio.value)")
    assert orders == LEAST_DESTRUCTIVE_FIRST
    assert await dialog.get_by_role("radio").first.is_checked()
    told = {"open": "2 replicas; .* secondary instead", "shadow": "2 replicas; every call is let through; it is only"}
    for order, text in told.items():
        await dialog.locator(f"[data-effect={order}]", has_text=re.compile(text)).wait_for()
    for order in orders:
        await dialog.locator(f"#order-{order}").check()
        button = await dialog.get_by_role("button").last.text_content()
        assert button not in ("Apply", "OK", ""), "the button is not named for what it does"
    assert await override_of(fleet) is None, "looking has changed something"


async def test_an_order_ends_by_itself_unless_somebody_wants_it_to_stay(page_of_one: DashboardPage):
    page = page_of_one.page
    await page.get_by_role("button", name=f"Override {CIRCUIT}").click()
    await page_of_one.until_text(page.locator("#ends"), "ends by itself at")
    await page.locator("#minutes").fill("")
    await page_of_one.until_text(page.locator("#ends"), "stays until somebody ends it")


async def test_an_order_can_be_undone(page_of_one: DashboardPage, fleet: Fleet):
    undo = page_of_one.page.locator("#undo")
    await set_override(page_of_one.page, CIRCUIT, "shadow", "a trial")
    await page_of_one.until_text(undo, f"{CIRCUIT} is")
    given = await override_of(fleet)
    assert given is not None
    assert (given["mode"], given["reason"], given["ends_in_s"] > 3500) == ("shadow", "a trial", True)

    await undo.get_by_role("button", name="Undo: end the override").click()
    await page_of_one.until_text(undo, "as it was before")
    assert await override_of(fleet) is None


async def test_undoing_restores_the_override_that_was_in_force_before(page_of_one: DashboardPage, fleet: Fleet):
    page = page_of_one.page
    await set_override(page, CIRCUIT, "closed", "the first")
    await page_of_one.until_text(page_of_one.circuit(CIRCUIT), "override: closed")
    await set_override(page, CIRCUIT, "shadow", "the second")
    await page_of_one.until_text(page_of_one.circuit(CIRCUIT), "override: shadow")

    await page.get_by_role("button", name="Undo: closed again").click()
    await page_of_one.until_text(page.locator("#undo"), "as it was before")
    restored = await override_of(fleet)
    assert restored is not None
    assert (restored["mode"], restored["reason"]) == ("closed", "the first")
    assert 3000 < restored["ends_in_s"] < 3600

    await page.get_by_role("button", name=f"Override {CIRCUIT}").click()
    first = page.get_by_role("dialog").get_by_role("radio").first
    assert await first.get_attribute("value") == "auto", "ending what is in force comes first"


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_dialog_fits(page_of_one: DashboardPage, width: int):
    await page_of_one.page.set_viewport_size({"width": width, "height": 640})
    await page_of_one.page.get_by_role("button", name=f"Override {CIRCUIT}").click()
    await page_of_one.until_text(page_of_one.page.locator("[data-effect=open]"), "2 replicas")
    box = await page_of_one.page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= width, box["y"] >= 0, box["y"] + box["height"] <= 640) == (
        (True,) * 4
    )
    assert not await page_of_one.page.get_by_role("dialog").evaluate("(node) => node.scrollWidth > node.clientWidth")
