"""/metrics of the one port, over real replicas: all of them are told of at every scrape, the frozen one as down."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.fleet.crew import Yard
from tests.fleet.processes import Controls, StandingFleet
from tests.fleet.test_no_question_is_lost import question, two_behind_a_front, until_answered

NAMES = {"rag-1", "rag-2"}


async def scraped(session: aiohttp.ClientSession, url: str) -> dict[tuple[str, ...], float]:
    """Sample and its labels' values -> number."""
    async with session.get(f"{url}/metrics") as reply:
        assert reply.status == 200
        families = text_string_to_metric_families(await reply.text())
        return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def answered(samples: dict[tuple[str, ...], float]) -> dict[str, float]:
    """Replica -> questions that it has answered."""
    return {name: samples.get(("ha_rag_questions_total", "false", name), 0.0) for name in NAMES}


async def test_whoever_s_turn_it_is_a_scrape_tells_of_every_replica_and_asks_no_service(
    yard: Yard, standing_fleet: StandingFleet, tmp_path: Path
):
    async with (
        two_behind_a_front(yard, standing_fleet, tmp_path) as (up, url),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
    ):
        await until_answered(session, url, up)
        provider = Controls(yard.provider.url, session)
        before = answered(await scraped(session, url))
        assert [await question(session, url) for _ in range(20)] == [200] * 20
        calls = await provider.calls("chat")
        scrapes = [await scraped(session, url) for _ in range(5)]

        gained = {name: answered(scrapes[0])[name] - before[name] for name in NAMES}
        assert sum(gained.values()) == 20
        assert min(gained.values()) > 0
        assert all(answered(scrape) == answered(scrapes[0]) for scrape in scrapes)
        assert await provider.calls("chat") == calls

        (frozen, *_) = [child for child in psutil.Process(up.pid).children(True) if "serve" in child.cmdline()]
        frozen.suspend()
        try:
            struck = await scraped(session, url)
        finally:
            frozen.resume()
        ups = {name: struck["ha_rag_replica_up", name] for name in NAMES}
        assert sorted(ups.values()) == [0, 1]
        (other,) = [name for name, up_now in ups.items() if up_now]
        assert struck["ha_rag_questions_total", "false", other] == answered(scrapes[0])[other]
