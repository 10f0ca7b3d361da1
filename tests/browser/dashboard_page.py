"""Page object of the dashboard; records console errors and requests."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, Request

WITHIN_MS = 15_000
"""Generous timeout for busy machines; tests of speed measure it instead."""


class DashboardPage:
    """One page. `problems`: console errors, warnings and exceptions. `origins`: the origins it sent requests to."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.origins: set[str] = set()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._on_request)

    async def open(self, url: str) -> DashboardPage:
        """Opens `url`, and waits until the fleet is shown."""
        await self.page.goto(url)
        await self.circuit("embedder.primary").wait_for()
        return self

    def circuit(self, name: str) -> Locator:
        """The row of a circuit."""
        return self.page.locator("#circuits tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def replica(self, name: str) -> Locator:
        """The row of a replica."""
        return self.page.locator("#replicas tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    async def until_text(self, where: Locator, text: str) -> None:
        """Waits until `where` contains `text`."""
        await where.filter(has_text=text).wait_for()

    async def time_of(self, circuit: str, text: str) -> asyncio.Future[float]:
        """A future of the Unix time (s) at which the circuit's row first contains `text`, measured in the page."""
        result = self.page.evaluate(TIME_OF_TEXT, [circuit, text])
        observer = asyncio.ensure_future(result)
        await self.page.evaluate("() => 1")  # ensures that the script above has started
        return observer

    async def ask(self, question: str) -> Locator:
        """Asks in the playground, and waits for the answer."""
        await self.page.get_by_label("Question").fill(question)
        await self.page.get_by_role("button", name="Ask", exact=True).click()
        answer = self.page.locator("#ask article")
        await answer.locator(".served").filter(has_text="ms").wait_for()
        return answer

    async def scrolls_sideways(self) -> bool:
        return bool(await self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.origins.add("/".join(request.url.split("/")[:3]))


TIME_OF_TEXT = """
([circuit, text]) => new Promise((resolve) => {
  const check = () => {
    const rows = [...document.querySelectorAll("#circuits tbody tr")];
    const row = rows.find((tr) => tr.querySelector("th").textContent.includes(circuit));
    if (!row?.querySelector(".state")?.textContent.includes(text)) return;
    observer.disconnect();
    resolve(Date.now() / 1000);
  };
  const observer = new MutationObserver(check);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  check();
})
"""


async def colour(where: Locator) -> tuple[int, int, int]:
    """The computed text colour: red, green, blue."""
    css = ""
    while not css:  # a row that was redrawn after the lookup is detached, and has no computed style
        css = await where.evaluate("(node) => getComputedStyle(node).color")
    red, green, blue = [int(float(part)) for part in css.split("(")[1].rstrip(")").split(",")[:3]]
    return red, green, blue


def sse(kind: str, data: Any) -> str:
    """One server-sent event."""
    import json

    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
