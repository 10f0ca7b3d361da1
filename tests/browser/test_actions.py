"""Actions on the page: overrides, questions, keyboard use; and hostile text."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Page

from tests.browser.dashboard_page import DashboardPage
from tests.browser.dashboard_process import DashboardProcess
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

CIRCUIT = "embedder.primary"
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


NAMES = {
    "auto": "End the override", "shadow": "Only report", "closed": "Let every call through",
    "disabled": "Stop counting", "open": "Refuse every call",
}  # fmt: skip


async def set_override(page: Page, circuit: str, mode: str, reason: str, token: str = "") -> None:
    """Sets or ends an override through the dialog."""
    await page.get_by_role("button", name=f"Override {circuit}").click()
    await page.locator(f"#order-{mode}").check()
    if mode != "auto":
        await page.get_by_label("Reason").fill(reason)
    if token:
        await page.locator("#token").fill(token)
    await page.get_by_role("dialog").get_by_role("button", name=NAMES[mode], exact=True).click()


async def no_script_ran(dashboard_page: DashboardPage) -> bool:
    return await dashboard_page.page.evaluate("() => window.hacked") is None and not dashboard_page.problems


async def test_an_override_set_on_one_replicas_page_applies_to_another_replica(
    dashboard_page: DashboardPage, fleet: Fleet
):
    one, other = fleet.replicas
    await dashboard_page.open(one.url)

    await set_override(dashboard_page.page, CIRCUIT, "open", f"maintenance {HOSTILE}")

    await dashboard_page.until_text(dashboard_page.circuit(CIRCUIT), "override: open")
    await fleet.until_all("open", CIRCUIT, within_s=2)
    refused = (await other.ask())["attempts"][0]
    assert (refused["circuit"], refused["outcome"]) == (CIRCUIT, "rejected")
    await dashboard_page.until_text(dashboard_page.circuit(CIRCUIT), HOSTILE)
    await dashboard_page.until_text(dashboard_page.page.locator("#timeline"), HOSTILE)
    assert await no_script_ran(dashboard_page)

    await set_override(dashboard_page.page, CIRCUIT, "auto", "done")
    await fleet.until_all("closed", CIRCUIT, within_s=10, ask=True)  # after a forced open it is probed first
    assert (await other.circuit(CIRCUIT))["override"] is None


async def test_scripts_in_questions_and_documents_stay_text(dashboard_page: DashboardPage, fleet: Fleet):
    replica = fleet.replicas[0]
    async with aiohttp.ClientSession() as session:
        document = {"id": "hostile", "text": f"Quokkas hop. {HOSTILE} </textarea><h1>Quokkas</h1>"}
        async with session.post(f"{replica.url}/v1/documents", json=document) as reply:
            assert reply.status == 200, await reply.text()
        try:
            await dashboard_page.open(replica.url)
            answer = await dashboard_page.ask(f"Do quokkas hop? {HOSTILE}")
            await answer.locator("summary").first.click()
            await dashboard_page.until_text(answer.locator(".citations"), "onerror=")
            assert (
                await dashboard_page.page.locator("#ask article h1, #ask article img, #ask article script").count() == 0
            )
            assert await no_script_ran(dashboard_page)
        finally:
            async with session.delete(f"{replica.url}/v1/documents/hostile", json={}) as reply:
                assert reply.status == 200


async def test_the_path_of_an_answer_shows_the_fallback(dashboard_page: DashboardPage, fleet: Fleet):
    await fleet.provider.fail("embeddings")
    await dashboard_page.open(fleet.replicas[0].url)
    answer = await dashboard_page.ask("How does a circuit recover?")
    await dashboard_page.until_text(answer.locator(".served"), "degraded: embedder")
    assert "secondary" in (await answer.locator("svg.path").get_attribute("aria-label") or "")


async def test_an_answer_says_what_quality_to_expect_and_who_measured_it(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.open(fleet.replicas[0].url)
    answer = await dashboard_page.ask("How does a circuit recover?")
    told = (await fleet.replicas[0].ask())["quality"]
    quality = answer.locator(".quality")
    await dashboard_page.until_text(quality, f"search {told['expected']:.3f}, at best {told['best']:.3f} (nDCG@10)")
    right = f"{round(100 * told['answers']['expected'])} % of answers with the right words"
    await dashboard_page.until_text(quality, right)
    await dashboard_page.until_text(quality, f"measured by the authors of ha_rag with {told['measured_on']}, not on")


async def test_the_page_works_with_the_keyboard_and_updates_keep_the_focus(dashboard_page: DashboardPage, fleet: Fleet):
    page = dashboard_page.page
    await dashboard_page.open(fleet.replicas[0].url)
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.textContent") == "Skip to the circuits"

    button = page.get_by_role("button", name=f"Override {CIRCUIT}")
    await button.focus()
    updates = await page.evaluate(COUNT_UPDATES, 3)
    assert updates == 3
    assert await button.evaluate("(node) => node === document.activeElement"), "an update moved the focus"
    assert await button.evaluate("(node) => getComputedStyle(node).outlineStyle") != "none"

    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    assert await page.evaluate("() => document.querySelector('dialog').contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="hidden")
    assert await button.evaluate("(node) => node === document.activeElement"), "the focus did not return"
    assert dashboard_page.problems == []


COUNT_UPDATES = """
(wanted) => new Promise((resolve) => {
  let seen = 0;
  const body = document.querySelector("#circuits tbody");
  const observer = new MutationObserver(() => {
    seen += 1;
    if (seen < wanted) return;
    observer.disconnect();
    resolve(seen);
  });
  observer.observe(body, { subtree: true, childList: true });
})
"""


# ---- secrets --------------------------------------------------------------------------------------------------------


@pytest.fixture
def secrets() -> dict[str, str]:
    return {"HA_RAG_API_KEYS": "sesame", "HA_RAG_ADMIN_TOKEN": "operators-only"}


async def test_a_server_with_secrets_asks_for_its_key_and_for_the_operator_token(
    dashboard_page: DashboardPage, fleet: Fleet, dashboard: DashboardProcess, secrets: dict[str, str]
):
    page = dashboard_page.page
    await dashboard.with_secrets(secrets).started()
    await page.goto(dashboard.url)
    for key in ("wrong", "sesame"):
        await page.get_by_label("This server requires an API key").fill(key)
        await page.get_by_role("button", name="Use key").click()
    await dashboard_page.circuit(CIRCUIT).wait_for()

    await set_override(page, CIRCUIT, "shadow", "test", token="guessed")
    await dashboard_page.until_text(page.get_by_role("alert"), "token")
    await page.get_by_role("button", name="Cancel").click()
    await set_override(page, CIRCUIT, "shadow", "test", token=secrets["HA_RAG_ADMIN_TOKEN"])
    await dashboard_page.until_text(dashboard_page.circuit(CIRCUIT), "override: shadow")
    assert (await fleet.replicas[0].circuit(CIRCUIT))["override"]["reason"] == "test"
