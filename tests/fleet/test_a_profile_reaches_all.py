"""`ha-rag evaluate` beside a running fleet: every replica takes up the profile, and chooses by it in an outage."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.datasets_on_disk import lines
from tests.fleet.crew import Yard
from tests.fleet.processes import DOCUMENTS, Fleet, StandingFleet
from tests.fleet.redis_trouble import mend

BY_QUALITY = '\n[strategy]\nchoose = "quality"\n'
QUESTIONS = [
    {"_id": "1", "text": "How does a circuit recover?", "passage": "recovery.md", "answers": ["by a probe"]},
    {"_id": "2", "text": "What answers when a service is out?", "passage": "tiers.md", "answers": ["the next tier"]},
]


@pytest.fixture(scope="module")
def standing(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("quality"), _yard.provider, proxy, more=BY_QUALITY)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def choosing(standing: StandingFleet) -> AsyncIterator[Fleet]:
    """Three replicas that choose by quality, and have no profile yet."""
    (standing._folder / "index" / "quality.json").unlink(missing_ok=True)
    async with standing.well() as well:
        try:
            yield well
        finally:
            await mend(well)


async def evaluated(config: Path, questions: Path, *options: str) -> dict[str, Any]:
    """What `ha-rag evaluate --json` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ha_rag", "evaluate", str(questions), "--json", "--config", str(config), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return dict(json.loads(out))


async def until_all_use(fleet: Fleet, source: str) -> None:
    """Waits until every replica says that it uses these figures."""
    async with asyncio.timeout(20):
        while {(await replica.health())["quality"]["source"] for replica in fleet.replicas} != {source}:
            await asyncio.sleep(0.05)


async def test_every_replica_takes_up_the_profile_and_chooses_by_it(
    choosing: Fleet, standing: StandingFleet, tmp_path: Path
):
    await until_all_use(choosing, "shipped")
    told = (await choosing.replicas[0].ask())["quality"]
    assert (told["source"], told["measured_on"]) == (
        "shipped", "XQuAD (en), onnx in place of embedder openai; extractive in place of generator openai",
    )  # fmt: skip
    assert 0 < told["answers"]["expected"] <= told["answers"]["best"] <= 1

    profile = await evaluated(standing._config, lines(tmp_path / "two.jsonl", QUESTIONS))
    await until_all_use(choosing, "profile")

    figures = {(plan["embedder"], plan["retriever"]): plan["ndcg"] for plan in profile["plans"]}
    for replica in choosing.replicas:
        answer = await replica.ask()
        served = answer["served_by"]
        assert figures[served["embedder"], served["retriever"]] == max(figures.values())
        assert (answer["quality"]["source"], answer["quality"]["measured_on"]) == ("profile", "two")
        assert not answer["degraded"]

    await choosing.provider.fail("embeddings")
    rest = {plan: figure for plan, figure in figures.items() if plan[0] != "primary"}
    for replica in choosing.replicas:
        answer = await replica.ask()
        served = answer["served_by"]
        assert answer["answer"]
        assert figures[served["embedder"], served["retriever"]] == max(rest.values())


async def test_questions_that_a_model_makes_from_the_documents_make_a_profile(
    choosing: Fleet, standing: StandingFleet, tmp_path: Path
):
    file = tmp_path / "made.jsonl"

    profile = await evaluated(standing._config, file, "--questions", "2")

    made = [json.loads(line) for line in file.read_text().splitlines()]
    assert {question["passage"][0] for question in made} == {"recovery.md", "tiers.md"}
    for question in made:
        assert "___" in question["text"]
        assert question["answers"][0] in DOCUMENTS[question["passage"][0]]
    assert (profile["questions"], profile["dataset"]) == (2, "made (simulated questions)")
    async with asyncio.timeout(20):
        for replica in choosing.replicas:
            while (await replica.health())["quality"]["measured_on"] != "made (simulated questions)":
                await asyncio.sleep(0.05)
            quality = (await replica.ask(made[0]["text"]))["quality"]
            assert (quality["source"], quality["answers"]["metric"]) == ("profile", "gold")
    assert len(await choosing.provider.arrivals("chat")) >= len(made)
