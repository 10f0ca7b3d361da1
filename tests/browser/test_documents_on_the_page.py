"""The documents on the page: a list with their states, files to add, and refusals that say what helps."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, Route

from tests.browser.dashboard_page import DashboardPage
from tests.browser.dashboard_process import DashboardProcess
from tests.browser.fleets_on_the_page import FLEETS, show
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTE = "quokkas-on-the-page.md"
DAMAGED: dict[str, Any] = {
    "id": "a.md", "title": "A", "origin": "file", "source": None, "state": "damaged", "reason": "its text is lost",
    "passages": 3, "vectors": {}, "indexed_at": None,
}  # fmt: skip


def file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def listed(page: Page) -> None:
    await page.get_by_role("button", name="List", exact=True).click()


async def test_files_are_added_and_listed_with_their_states(dashboard_page: DashboardPage, fleet: Fleet):
    page, replica = dashboard_page.page, fleet.replicas[0]
    section = page.locator("#documents")
    await dashboard_page.open(replica.url)
    files = [file(NOTE, b"# Quokkas\n\nQuokkas hop at night."), file("broken.pdf", b"no pdf")]
    await page.get_by_label("Files").set_input_files(files)
    await page.get_by_role("button", name="Add", exact=True).click()
    try:
        await dashboard_page.until_text(section.locator(".results"), f"{NOTE}: added, 1 passage")
        await dashboard_page.until_text(section.locator(".results .error"), "broken.pdf: not added:")
        await page.get_by_label("Words in name or title").fill("quokkas")
        await page.keyboard.press("Enter")
        await dashboard_page.until_text(section.locator(".count"), "with these words")
        row = section.locator("tbody tr")
        assert await row.count() == 1
        assert NOTE in (await row.text_content() or "")
        assert "searchable" in (await row.text_content() or "")
    finally:
        await replica_deletes(page, replica.url)
    assert dashboard_page.problems == []


async def replica_deletes(page: Page, url: str) -> None:
    reply = await page.request.delete(f"{url}/v1/documents/{NOTE}", data={})
    assert reply.ok


async def test_too_much_at_once_is_said_before_it_is_sent(dashboard_page: DashboardPage):
    page = dashboard_page.page
    await show(page, FLEETS["healthy"])  # has no such endpoint: a request would be an error in the console
    for files, said in (
        ([file("large.txt", b"x" * 10_000_001)], "At most 10 MB"),
        ([file(f"{n}.txt", b"x") for n in range(21)], "At most 20 files at once; these are 21"),
    ):
        await page.get_by_label("Files").set_input_files(files)
        await page.get_by_role("button", name="Add", exact=True).click()
        await dashboard_page.until_text(page.locator("#documents .error"), said)
    assert dashboard_page.problems == []


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (403, "allowed from this machine only; set HA_RAG_ADMIN_TOKEN", "set HA_RAG_ADMIN_TOKEN"),
        (409, "the index is read by this replica only", "the index is read by this replica only"),
        (404, "not found", "Open the page of a replica"),
    ],
)
async def test_a_refusal_says_what_helps(dashboard_page: DashboardPage, status: int, message: str, said: str):
    async def refused(route: Route) -> None:
        await route.fulfill(status=status, json={"error": {"type": "x", "message": message, "param": None}})

    await show(dashboard_page.page, FLEETS["healthy"])
    await dashboard_page.page.route("**/v1/documents*", refused)
    await listed(dashboard_page.page)
    await dashboard_page.until_text(dashboard_page.page.locator("#documents .error"), said)


async def test_a_server_that_wants_the_operator_token_gets_it(dashboard_page: DashboardPage):
    page = dashboard_page.page

    async def for_operators(route: Route) -> None:
        if route.request.headers.get("authorization") != "Bearer operators-only":
            await route.fulfill(status=401, json={"error": {"type": "x", "message": "no", "param": None}})
        else:
            await route.fulfill(json={"documents": [DAMAGED], "total": 1, "next": None})

    await show(page, FLEETS["healthy"])
    await page.route("**/v1/documents*", for_operators)
    await listed(page)
    await dashboard_page.until_text(page.locator("#documents .error"), "needs the operator token (HA_RAG_ADMIN_TOKEN")
    for token in ("guessed", "operators-only"):
        await page.locator("#documents-token").fill(token)
        await page.get_by_role("button", name="Use token").click()
        if token == "guessed":
            await dashboard_page.until_text(page.locator("#documents .error"), "does not accept this operator token")
    row = page.locator("#documents tbody tr")
    await dashboard_page.until_text(row, "damaged")
    assert "its text is lost" in (await row.text_content() or "")
    assert await page.locator("#documents form.token").is_hidden()


async def test_a_dashboard_without_documents_says_where_they_are(
    dashboard_page: DashboardPage, fleet: Fleet, dashboard: DashboardProcess
):
    await dashboard.started()
    await dashboard_page.open(dashboard.url)
    await listed(dashboard_page.page)
    await dashboard_page.until_text(dashboard_page.page.locator("#documents .error"), "Open the page of a replica")
