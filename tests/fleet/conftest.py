"""What the fleet's tests share: processes that start once and serve all of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import require_redis_binary
from tests.fleet.crew import CrewOf, Pool, Yard
from tests.fleet.processes import Controls, Fleet, Process, Provider, StandingFleet, is_ready, until_ready
from tests.fleet.redis_trouble import mend
from tests.ports import free_port


@pytest.fixture(scope="session")
def _yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    require_redis_binary()
    folder = tmp_path_factory.mktemp("fleet")
    workers, proxies = Pool(folder, "tests.fleet.worker"), Pool(folder, "tests.fleet.proxy")
    provider = Provider(folder)
    provider.start()
    workers.give_back(workers.take(3))
    asyncio.run(_answering(provider))
    yield Yard(workers, proxies, provider, folder)
    for kept in (workers, proxies, provider):
        kept.stop()


async def _answering(provider: Provider) -> None:
    async with aiohttp.ClientSession() as session:
        await until_ready(Controls(provider.url, session).answers, provider)


@pytest.fixture(scope="session")
def standing_fleet(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("rag"), _yard.provider, proxy)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def fleet(standing_fleet: StandingFleet) -> AsyncIterator[Fleet]:
    """Three replicas, well and sharing; their Redis and the provider may be broken at will."""
    async with standing_fleet.well() as well:
        try:
            yield well
        finally:
            await mend(well)


@pytest.fixture
async def front(fleet: Fleet, tmp_path: Path) -> AsyncIterator[tuple[Process, str]]:
    """One port before the fleet, and its address."""
    port = free_port()
    behind = [f"{replica.name}={replica.url}" for replica in fleet.replicas]
    process = Process(
        "front", [sys.executable, "-m", "ha_rag.local_fleet.front", "--port", str(port), *behind], tmp_path
    )
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        await until_ready(lambda: is_ready(url), process)
        yield process, url
    except BaseException:
        print(process.said())
        raise
    finally:
        await asyncio.to_thread(process.stop)


@pytest.fixture
def crew_of(_yard: Yard, tmp_path: Path) -> CrewOf:
    """Makes crews; see `crew.py`."""
    _yard.folder = tmp_path
    return _yard.crew


@pytest.fixture
def yard(_yard: Yard, crew_of: CrewOf) -> Yard:
    """Where crews come from, for tests that start processes of their own."""
    del crew_of
    return _yard
