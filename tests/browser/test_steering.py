"""What somebody on call does on the page: steers, asks, uses the keyboard; and what hostile text cannot do there."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Page

from tests.browser.reader import Reader
from tests.browser.server import Server
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


async def steer(page: Page, circuit: str, mode: str, reason: str, token: str = "") -> None:
    """An order, given as people do."""
    await page.get_by_role("button", name=f"Steer {circuit}").click()
    await page.get_by_label("Order").select_option(mode)
    await page.get_by_label("Reason").fill(reason)
    if token:
        await page.get_by_label("Operator's token").fill(token)
    await page.get_by_role("button", name="Do it").click()


async def nothing_ran(reader: Reader) -> bool:
    return await reader.page.evaluate("() => window.hacked") is None and not reader.complaints


async def test_an_override_set_on_one_replicas_page_applies_to_another_replica(reader: Reader, fleet: Fleet):
    one, other = fleet.replicas
    await reader.open(one.url)

    await steer(reader.page, CIRCUIT, "open", f"maintenance {HOSTILE}")

    await reader.until_says(reader.circuit(CIRCUIT), "by hand")
    await fleet.until_all("open", CIRCUIT, within_s=2)
    refused = (await other.ask())["attempts"][0]
    assert (refused["circuit"], refused["outcome"]) == (CIRCUIT, "rejected")
    await reader.until_says(reader.circuit(CIRCUIT), HOSTILE)
    await reader.until_says(reader.page.locator("#timeline"), HOSTILE)
    assert await nothing_ran(reader)

    await steer(reader.page, CIRCUIT, "auto", "done")
    await fleet.until_all("closed", CIRCUIT, within_s=10, ask=True)  # after a forced open it is probed first
    assert (await other.circuit(CIRCUIT))["override"] is None


async def test_scripts_in_questions_and_documents_stay_text(reader: Reader, fleet: Fleet):
    replica = fleet.replicas[0]
    async with aiohttp.ClientSession() as session:
        document = {"id": "hostile", "text": f"Quokkas hop. {HOSTILE} </textarea><h1>Quokkas</h1>"}
        async with session.post(f"{replica.url}/v1/documents", json=document) as reply:
            assert reply.status == 200, await reply.text()
        try:
            await reader.open(replica.url)
            answer = await reader.ask(f"Do quokkas hop? {HOSTILE}")
            await answer.locator("summary").first.click()
            await reader.until_says(answer.locator(".citations"), "onerror=")
            assert await reader.page.locator("#ask article h1, #ask article img, #ask article script").count() == 0
            assert await nothing_ran(reader)
        finally:
            async with session.delete(f"{replica.url}/v1/documents/hostile", json={}) as reply:
                assert reply.status == 200


async def test_the_path_of_an_answer_shows_the_fallback(reader: Reader, fleet: Fleet):
    await fleet.provider.fail("embeddings")
    await reader.open(fleet.replicas[0].url)
    answer = await reader.ask("How does a circuit recover?")
    await reader.until_says(answer.locator(".served"), "degraded: embedder")
    assert "secondary" in (await answer.locator("svg.path").get_attribute("aria-label") or "")


async def test_the_page_works_with_the_keyboard_and_updates_keep_the_focus(reader: Reader, fleet: Fleet):
    page = reader.page
    await reader.open(fleet.replicas[0].url)
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.textContent") == "To the circuits"

    button = page.get_by_role("button", name=f"Steer {CIRCUIT}")
    await button.focus()
    pictures = await page.evaluate(PICTURES, 3)
    assert pictures == 3
    assert await button.evaluate("(node) => node === document.activeElement"), "a picture took the focus away"
    assert await button.evaluate("(node) => getComputedStyle(node).outlineStyle") != "none"

    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    assert await page.evaluate("() => document.querySelector('dialog').contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="hidden")
    assert await button.evaluate("(node) => node === document.activeElement"), "the focus did not come back"
    assert reader.complaints == []


PICTURES = """
(wanted) => new Promise((resolve) => {
  let seen = 0;
  const body = document.querySelector("#circuits tbody");
  const watching = new MutationObserver(() => {
    seen += 1;
    if (seen < wanted) return;
    watching.disconnect();
    resolve(seen);
  });
  watching.observe(body, { subtree: true, childList: true });
})
"""


# ---- secrets --------------------------------------------------------------------------------------------------------


@pytest.fixture
def secrets() -> dict[str, str]:
    return {"HA_RAG_API_KEYS": "sesame", "HA_RAG_ADMIN_TOKEN": "operators-only"}


async def test_a_server_with_secrets_asks_for_its_key_and_for_the_operator_token(
    reader: Reader, fleet: Fleet, dashboard: Server, secrets: dict[str, str]
):
    page = reader.page
    await dashboard.keeping(secrets).started()
    await page.goto(dashboard.url)
    for key in ("wrong", "sesame"):
        await page.get_by_label("This server wants an API key").fill(key)
        await page.get_by_role("button", name="Use it").click()
    await reader.circuit(CIRCUIT).wait_for()

    await steer(page, CIRCUIT, "shadow", "look", token="guessed")
    await reader.until_says(page.get_by_role("alert"), "token")
    await page.get_by_role("button", name="Leave it").click()
    await steer(page, CIRCUIT, "shadow", "look", token=secrets["HA_RAG_ADMIN_TOKEN"])
    await reader.until_says(reader.circuit(CIRCUIT), "shadow by hand")
    assert (await fleet.replicas[0].circuit(CIRCUIT))["override"]["reason"] == "look"
