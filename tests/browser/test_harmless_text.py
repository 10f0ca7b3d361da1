"""The pages make foreign text harmless as the terminal and the log do."""

from __future__ import annotations

import random
import unicodedata
from typing import Any

import aiohttp
import pytest

from ha_rag.harmless import harmless
from tests.browser.dashboard_page import DashboardPage
from tests.browser.test_actions import CIRCUIT, set_override
from tests.fleet.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOW = """async ([texts, lines]) => {
    const { harmless } = await import("/web/harmless.js");
    return texts.map((text) => harmless(text, { lines }));
}"""
TURNED = "rain\u202e\u2066\U000e0041"


async def shown(dashboard_page: DashboardPage, texts: list[str], *, lines: bool = False) -> list[Any]:
    found: list[Any] = await dashboard_page.page.evaluate(SHOW, [texts, lines])
    return found


def _known(text: str) -> bool:
    """Whether all characters are old enough for this Python and this browser to know, and can be sent between them."""
    return not {"Cn", "Cs"} & {unicodedata.category(character) for character in text}


async def test_every_character_looks_as_in_the_terminal(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.open(fleet.replicas[0].url)
    texts = [text for code in range(0x110000) for text in (f"a{chr(code)}b",) if _known(text)]
    texts += [f"é{text[1]}" for text in texts if not text[1].isprintable() or unicodedata.category(text[1])[0] == "M"]
    for start in range(0, len(texts), 50_000):
        batch = texts[start : start + 50_000]
        assert await shown(dashboard_page, batch) == [harmless(text) for text in batch]


async def test_sequences_of_trouble_look_as_in_the_terminal(dashboard_page: DashboardPage, fleet: Fleet):
    await dashboard_page.open(fleet.replicas[0].url)
    draw = random.Random(7)
    trouble = "\x1b\x7f\x85\r\n\t \u200b\u200c\u200d\ufe0f\U000e0100\u202e\u2028\u0301\u0323\u3164\U000e0041aéא❤👩"
    texts = ["".join(draw.choices(trouble, k=12)) for _ in range(20_000)]
    for lines in (False, True):
        assert await shown(dashboard_page, texts, lines=lines) == [harmless(text, lines=lines) for text in texts]


async def test_a_reason_that_turns_the_writing_is_shown_as_escapes(dashboard_page: DashboardPage, fleet: Fleet):
    url = fleet.replicas[0].url
    await dashboard_page.open(url)
    body = {"mode": "shadow", "reason": TURNED, "for_s": 30}
    path = f"{url}/v1/circuits/{CIRCUIT}/override"
    async with aiohttp.ClientSession() as session, session.put(path, json=body) as reply:
        assert reply.status == 200, await reply.text()
    await dashboard_page.until_text(dashboard_page.circuit(CIRCUIT), r"rain\u202e\u2066\U000e0041")
    await dashboard_page.until_text(dashboard_page.page.locator("#timeline"), r"rain\u202e\u2066\U000e0041")
    await set_override(dashboard_page.page, CIRCUIT, "auto", "done")
