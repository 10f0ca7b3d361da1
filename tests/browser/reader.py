"""Somebody who reads the dashboard: what stands on the page, and everything that went wrong on it."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, Request

WITHIN_MS = 15_000
"""Long enough for a busy machine; what has to be quick is measured, not waited for."""


class Reader:
    """One page. `complaints`: errors and warnings of its console, and exceptions. `asked`: the origins it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asks)

    async def open(self, url: str) -> Reader:
        """The page at `url`, once it shows the fleet."""
        await self.page.goto(url)
        await self.circuit("embedder.primary").wait_for()
        return self

    def circuit(self, name: str) -> Locator:
        """A circuit's row."""
        return self.page.locator("#circuits tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def replica(self, name: str) -> Locator:
        """A replica's row."""
        return self.page.locator("#replicas tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    async def until_says(self, where: Locator, what: str) -> None:
        """Waits until `where` holds the text `what`."""
        await where.filter(has_text=what).wait_for()

    async def watch(self, circuit: str, word: str) -> asyncio.Future[float]:
        """From now on: when, in Unix seconds, the circuit's row first says `word`, as the page itself sees it."""
        seen = self.page.evaluate(WHEN_SAID, [circuit, word])
        watching = asyncio.ensure_future(seen)
        await self.page.evaluate("() => 1")  # what was sent before this has begun
        return watching

    async def ask(self, question: str) -> Locator:
        """Asks in the playground; the answer, once it is there."""
        await self.page.get_by_label("Question").fill(question)
        await self.page.get_by_role("button", name="Ask", exact=True).click()
        answer = self.page.locator("#ask article")
        await answer.locator(".served").filter(has_text="ms").wait_for()
        return answer

    async def scrolls_sideways(self) -> bool:
        return bool(await self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asks(self, request: Request) -> None:
        self.asked.add("/".join(request.url.split("/")[:3]))


WHEN_SAID = """
([circuit, word]) => new Promise((resolve) => {
  const look = () => {
    const rows = [...document.querySelectorAll("#circuits tbody tr")];
    const row = rows.find((tr) => tr.querySelector("th").textContent.includes(circuit));
    if (!row?.querySelector(".state")?.textContent.includes(word)) return;
    watching.disconnect();
    resolve(Date.now() / 1000);
  };
  const watching = new MutationObserver(look);
  watching.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
})
"""


async def colour(where: Locator) -> tuple[int, int, int]:
    """The colour of its text, as the browser draws it: red, green, blue."""
    told: str = await where.evaluate("(node) => getComputedStyle(node).color")
    red, green, blue = [int(float(part)) for part in told.split("(")[1].rstrip(")").split(",")[:3]]
    return red, green, blue


def sse(kind: str, data: Any) -> str:
    """One server-sent event."""
    import json

    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
