"""Pages of other sites, in a browser that can reach a replica without a token, neither change nor read documents."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from starlette.responses import HTMLResponse
from starlette.types import Message, Receive, Scope, Send

from ha_rag.http.access import Access
from ha_rag.http.connection import ConnectionLimits
from tests.browser.dashboard_page import WITHIN_MS
from tests.http.app_client import StubReplica
from tests.http.sockets import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEFORE = {"a": "before"}

FORM = """([url]) => {
    const frame = document.createElement("iframe");
    frame.name = "target";
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: url, enctype: "multipart/form-data", target: "target" });
    const input = document.createElement("input");
    Object.assign(input, { type: "file", name: "file" });
    const files = new DataTransfer();
    files.items.add(new File(["Bees hum."], "evil.md"));
    input.files = files.files;
    form.append(input);
    document.body.append(frame, form);
    form.submit();
}"""
FETCH = """async ([url, method, mode, withFile]) => {
    const body = new FormData();
    body.append("file", new File(["Bees hum."], "evil.md"));
    try {
        const reply = await fetch(url, { method, mode, ...(withFile ? { body } : {}) });
        return [reply.type, reply.status, await reply.text()];
    } catch (error) {
        return [error.name, 0, ""];
    }
}"""
PAGES = {
    "another site": ("localhost", "<body>"),
    "another port": ("127.0.0.1", "<body>"),
    "without referrer": ("localhost", '<meta name="referrer" content="no-referrer"><body>'),
    "without origin": (
        "localhost",
        '<iframe sandbox="allow-scripts allow-forms" srcdoc="<body>" name="inner"></iframe>',
    ),
}


@dataclass
class Watched:
    """A replica on a port; `told`: method, path and status of every request that reached it."""

    replica: StubReplica
    url: str = ""
    told: list[tuple[str, str, int]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self) -> None:
        app = self.replica.app

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.start":
                    self.told.append((scope["method"], scope["path"], message["status"]))
                    self.news.set()

            await app(scope, receive, noted)

        self.replica.app = watched

    async def told_of(self, method: str) -> int:
        """The status of the first request with this method, once it has been answered."""
        async with asyncio.timeout(WITHIN_MS / 1000):
            while not (found := [status for told, _, status in self.told if told == method]):
                self.news.clear()
                await self.news.wait()
        return found[0]


@asynccontextmanager
async def watched_replica(**options: Any) -> AsyncIterator[Watched]:
    watched = Watched(StubReplica(options=options))
    watched.replica.documents.texts |= BEFORE
    watched.watch()
    async with serving(ConnectionLimits(), watched.replica) as server:
        watched.url = f"http://127.0.0.1:{server.port}"
        yield watched


@asynccontextmanager
async def foreign_page(chromium: Browser, host: str, html: str) -> AsyncIterator[Any]:
    """A page at another origin, or the frame in it."""
    other = StubReplica()
    other.app = HTMLResponse(f"<!doctype html><title>Foreign</title>{html}")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(ConnectionLimits(), other))
        context = await chromium.new_context()
        stack.push_async_callback(context.close)
        page = await context.new_page()
        await page.goto(f"http://{host}:{server.port}/")
        yield page.frame("inner") or page


@pytest.fixture(params=PAGES)
def page_of(request: pytest.FixtureRequest) -> tuple[str, str]:
    page: tuple[str, str] = PAGES[request.param]
    return page


async def test_a_foreign_page_cannot_upload_with_a_form(chromium: Browser, page_of: tuple[str, str]):
    async with watched_replica() as watched, foreign_page(chromium, *page_of) as page:
        await page.evaluate(FORM, [f"{watched.url}/v1/documents"])

        assert await watched.told_of("POST") == 403
        assert (watched.replica.documents.texts, watched.replica.documents.files) == (BEFORE, [])


async def test_a_foreign_page_cannot_upload_with_a_script(chromium: Browser, page_of: tuple[str, str]):
    async with watched_replica() as watched, foreign_page(chromium, *page_of) as page:
        for mode in ("no-cors", "cors"):
            kind, _, text = await page.evaluate(FETCH, [f"{watched.url}/v1/documents", "POST", mode, True])

            assert (kind, text) in [("opaque", ""), ("TypeError", "")]
        assert watched.told == [("POST", "/v1/documents", 403)] * 2
        assert (watched.replica.documents.texts, watched.replica.documents.files) == (BEFORE, [])


@pytest.mark.parametrize("mode", ["no-cors", "cors"])
async def test_a_foreign_page_cannot_delete(chromium: Browser, page_of: tuple[str, str], mode: str):
    async with watched_replica() as watched, foreign_page(chromium, *page_of) as page:
        found = await page.evaluate(FETCH, [f"{watched.url}/v1/documents/a", "DELETE", mode, False])

        assert found == ["TypeError", 0, ""]
        # Without CORS a browser sends no DELETE at all; with it, it asks first, and nobody agrees.
        assert watched.told == ([] if mode == "no-cors" else [("OPTIONS", "/v1/documents/a", 405)])
        assert watched.replica.documents.texts == BEFORE


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/documents/a"])
async def test_a_foreign_page_cannot_read(chromium: Browser, page_of: tuple[str, str], path: str):
    async with watched_replica() as watched, foreign_page(chromium, *page_of) as page:
        for mode in ("no-cors", "cors"):
            assert (await page.evaluate(FETCH, [f"{watched.url}{path}", "GET", mode, False]))[2] == ""
        assert watched.told == [("GET", path, 403)] * 2


async def test_with_a_token_a_foreign_page_lacks_it(chromium: Browser, page_of: tuple[str, str]):
    async with (
        watched_replica(access=Access(admin_token="sesame")) as watched,
        foreign_page(chromium, *page_of) as page,
    ):
        await page.evaluate(FORM, [f"{watched.url}/v1/documents"])

        assert await watched.told_of("POST") == 401
        assert watched.replica.documents.files == []


async def test_a_page_of_the_replica_itself_uploads_reads_and_deletes(chromium: Browser):
    context = await chromium.new_context()
    async with watched_replica() as watched:
        page: Page = await context.new_page()
        await page.goto(f"{watched.url}/")

        sent = await page.evaluate(FETCH, [f"{watched.url}/v1/documents", "POST", "cors", True])
        read = await page.evaluate(FETCH, [f"{watched.url}/v1/documents", "GET", "cors", False])
        gone = await page.evaluate(FETCH, [f"{watched.url}/v1/documents/a", "DELETE", "cors", False])

        assert [sent[1], read[1], gone[1]] == [200, 200, 200]
        assert watched.replica.documents.files == [[("evil.md", b"Bees hum.")]]
        assert list(watched.replica.documents.texts) == ["evil.md"]
        await context.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the PATH")
async def test_curl_uploads_reads_and_deletes(tmp_path: Path):
    (tmp_path / 'a "b".md').write_text("Bees hum.")
    (tmp_path / "Grüße.txt").write_text("Owls hoot.")
    async with watched_replica() as watched:
        files = ["-F", r'file=@"a \"b\".md"', "-F", "file=@Grüße.txt"]
        for words in (files, [], ["-X", "DELETE"]):
            path = "/v1/documents/a" if words and words[0] == "-X" else "/v1/documents"
            curl = await asyncio.create_subprocess_exec(
                "curl",
                "--fail",
                "--silent",
                *words,
                f"{watched.url}{path}",
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
            )
            await curl.communicate()
            assert curl.returncode == 0, words

        assert watched.replica.documents.files == [[('a "b".md', b"Bees hum."), ("Grüße.txt", b"Owls hoot.")]]
        assert "a" not in watched.replica.documents.texts
