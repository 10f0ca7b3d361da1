"""Generators chosen by quality in a fleet of real processes: the best measured one that is up answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.datasets_on_disk import lines
from tests.fleet.crew import Yard
from tests.fleet.processes import START_S, Fleet, StandingFleet
from tests.fleet.redis_trouble import mend
from tests.fleet.test_a_profile_reaches_all import BY_QUALITY, QUESTIONS, evaluated, until_all_use

CUT = 'model = "gpt-4o-mini"\nextra_body = { max_tokens = 6 }\n'
"""The list's first generator may write so little that hardly an answer has its gold words."""
MORE = """
[[generators]]
name = "whole"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o"
timeout_s = 0.8
"""


@pytest.fixture(scope="module")
def standing(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("generators"), _yard.provider, proxy, size=2, more=MORE + BY_QUALITY)
    written = fleet._config.read_text()
    patient = written.replace("timeout_s = 0.8", "timeout_s = 8.0")  # who serves is not to depend on the machine's load
    fleet._config.write_text(patient.replace('model = "gpt-4o-mini"\n', CUT, 1))
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def choosing(standing: StandingFleet) -> AsyncIterator[Fleet]:
    """Two replicas that choose by quality."""
    async with standing.well() as well:
        try:
            yield well
        finally:
            await mend(well)


async def answers(fleet: Fleet) -> list[dict[str, Any]]:
    return [await replica.ask(str(QUESTIONS[0]["text"])) for replica in fleet.replicas]


async def test_the_best_measured_generator_that_is_up_answers_whatever_the_list_says(
    choosing: Fleet, standing: StandingFleet, tmp_path: Path
):
    await until_all_use(choosing, "shipped")
    for answer in await answers(choosing):
        assert (answer["served_by"]["generator"], answer["finish_reason"]) == ("primary", "length"), answer["attempts"]

    profile = await evaluated(standing._config, lines(tmp_path / "two.jsonl", QUESTIONS))
    await until_all_use(choosing, "profile")

    best_plan = profile["plans"][0]
    figures = {each["generator"]: each["gold"] for each in best_plan["answers"]}
    assert figures["primary"] < min(figures["extractive"], figures["whole"])
    ranked = sorted(("primary", "extractive", "whole"), key=lambda name: -figures[name])
    for n, expected in enumerate(ranked[:2]):
        for answer in await answers(choosing):
            assert answer["served_by"]["generator"] == expected, answer["attempts"]
            assert ("generator" in answer["degraded_stages"]) == (n > 0)
            assert answer["quality"]["answers"] == {
                "expected": figures[expected],
                "best": max(figures[name] for name in ranked),
                "metric": "gold",
            }
        await choosing.replicas[0].order(f"generator.{expected}", "open", "to see who is next")
        await choosing.until_all("open", f"generator.{expected}", START_S)
    for answer in await answers(choosing):
        assert answer["served_by"]["generator"] == "primary"
    for name in ranked[:2]:
        await choosing.replicas[0].end_order(f"generator.{name}")
