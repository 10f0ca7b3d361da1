"""Fixtures of the browser tests: one Chromium, and one fleet of real processes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.dashboard_page import DashboardPage
from tests.browser.dashboard_process import DashboardProcess
from tests.conftest import require_redis_binary
from tests.fleet.crew import Pool
from tests.fleet.processes import Controls, Fleet, Provider, StandingFleet, until_ready
from tests.fleet.redis_trouble import mend

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-background-networking"]


def require_chromium() -> str:
    """The path of Chromium. Without one, tests are skipped, and fail in CI."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        reason = "no chromium on the PATH (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; each test uses its own context."""
    path = require_chromium()
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=path, args=OPTIONS)


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard_page(chromium: Browser) -> AsyncIterator[DashboardPage]:
    """A page with a desktop viewport."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield DashboardPage(await context.new_page())
    await context.close()


@pytest.fixture(scope="session")
def _provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    provider.start()
    asyncio.run(_answering(provider))
    yield provider
    provider.stop()


async def _answering(provider: Provider) -> None:
    async with aiohttp.ClientSession() as session:
        await until_ready(Controls(provider.url, session).answers, provider)


@pytest.fixture(scope="session")
def _standing_fleet(_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    require_redis_binary()
    proxies = Pool(tmp_path_factory.mktemp("proxies"), "tests.fleet.proxy")
    (proxy,) = proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("rag"), _provider, proxy, size=2)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(_standing_fleet: StandingFleet) -> AsyncIterator[Fleet]:
    """Two healthy replicas that share state; tests may break their Redis and the provider."""
    async with _standing_fleet.well() as well:
        try:
            yield well
        finally:
            await mend(well)


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(fleet: Fleet, tmp_path: Path) -> AsyncIterator[DashboardProcess]:
    """The dashboard as a separate process for that fleet; not started yet."""
    server = DashboardProcess(tmp_path, fleet.redis.url)
    try:
        yield server
    finally:
        server.stop()
