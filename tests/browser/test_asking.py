"""Asking on the page: keys, citations that show what they rest on, and what degraded an answer in words."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, Route

from ha_rag.http.wire import answer_wire
from ha_rag.messages import Answer, Attempt, Citation, ComponentType
from ha_rag.outcomes import Outcome
from tests.browser.dashboard_page import DashboardPage
from tests.browser.fleets_on_the_page import FLEETS, show
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEFORE, QUOTE, AFTER = "# Recovery 👩‍🚒\n\nProse 👍 before. ", "A probe 👍 closes it.", " And <b>more</b>."
ANSWER = Answer(
    id="a1",
    question="?",
    text="By a probe [1, 2], as it is said [2]. An array a[7] stays.",
    citations=(
        Citation(1, "breaker.md", "breaker.md#3", BEFORE + QUOTE + AFTER, 0.8, quote_start=len(BEFORE),
                 quote_end=len(BEFORE + QUOTE)),
        Citation(2, "https://example.org/a", "a#1", "Nothing of this is a quote.", 0.5),
    ),
    served_by={ComponentType.EMBEDDER: "secondary", ComponentType.RETRIEVER: "primary"},
    degraded_stages=("embedder",),
    attempts=(
        Attempt("embedder.primary", Outcome.REJECTED, 0.0, "open"),
        Attempt("embedder.secondary", Outcome.OK, 1.9),
        Attempt("retriever.primary", Outcome.OK, 1.9),
    ),
    shared_state="fresh",
    replica="rag-1",
    ms=41.7,
)  # fmt: skip


async def answered(page: Page) -> list[Any]:
    """Opens the page of a made-up fleet that answers `ANSWER`. Returns the questions that it will be asked."""
    asked: list[Any] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        await route.fulfill(json=answer_wire(ANSWER))

    await show(page, FLEETS["healthy"])
    await page.route("**/v1/query", answer)
    return asked


async def test_enter_asks_and_shift_enter_breaks_the_line(dashboard_page: DashboardPage):
    page = dashboard_page.page
    asked = await answered(page)
    await page.get_by_label("Question").fill("first")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second")
    await page.keyboard.press("Enter")
    await dashboard_page.until_text(page.locator("#ask .text"), "By a probe")
    assert [question["question"] for question in asked] == ["first\nsecond"]


async def test_enter_while_a_character_is_composed_does_not_ask(dashboard_page: DashboardPage):
    page = dashboard_page.page
    asked = await answered(page)
    composing = "(node) => node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true }))"
    await page.get_by_label("Question").evaluate(composing)
    assert asked == []


@pytest.mark.parametrize("by", ["click", "focus"])
async def test_a_citation_shows_its_passage_with_the_quoted_words_marked(dashboard_page: DashboardPage, by: str):
    page = dashboard_page.page
    await answered(page)
    answer = await dashboard_page.ask("How?")
    assert await answer.locator(".text").text_content() == "By a probe [1][2], as it is said [2]. An array a[7] stays."
    assert await answer.locator(".text button").count() == 3

    reference = answer.get_by_role("button", name="Citation 1: breaker.md")
    await (reference.click() if by == "click" else reference.focus())

    passage = answer.locator("#citation-1 .passage")
    assert await passage.is_visible()
    assert await passage.locator("mark").text_content() == QUOTE
    assert await passage.text_content() == BEFORE + QUOTE + AFTER
    assert "breaker.md · Recovery" in (await answer.locator("#citation-1 summary").text_content() or "")
    await answer.get_by_role("button", name="Citation 2").first.focus()
    assert await answer.locator("#citation-2 .passage").is_visible()
    assert not await passage.is_visible(), "two passages are open"
    assert await answer.locator("#citation-2 a").get_attribute("href") == "https://example.org/a"
    assert await answer.locator("b").count() == 0


async def test_what_degraded_an_answer_is_said_in_words(dashboard_page: DashboardPage):
    await answered(dashboard_page.page)
    answer = await dashboard_page.ask("How?")
    assert await answer.locator(".causes li").all_text_contents() == [
        "embedder.primary was not asked, since its circuit is open; secondary served the embedder instead"
    ]


async def test_a_real_answer_marks_what_it_rests_on(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.open(fleet.replicas[0].url)
    told = await fleet.replicas[0].ask("How does a circuit recover?")
    answer = await dashboard_page.ask("How does a circuit recover?")
    quoted = [citation for citation in told["citations"] if citation["quote"]]
    assert quoted, "no citation has a quote"
    await answer.get_by_role("button", name=f"Citation {quoted[0]['n']}:").first.click()
    marked = answer.locator(f"#citation-{quoted[0]['n']} mark")
    assert await marked.text_content() == quoted[0]["quote"]
    assert dashboard_page.problems == []
