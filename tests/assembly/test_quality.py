"""A replica takes up the profile beside its index, and says why where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ha_rag.assembly.configuration import settings_of
from ha_rag.assembly.replica import Replica, build_replica
from ha_rag.evaluation.datasets import read_dataset
from ha_rag.evaluation.run import evaluate_into
from ha_rag.index import Index, ingest
from ha_rag.profiles.profile import QualityProfile
from ha_rag.profiles.stored import store_profile
from ha_rag.settings import Settings, read_environment
from tests.evaluation.datasets_on_disk import beir, corpus
from tests.http.app_client import AppClient
from tests.waiting import until

QUESTION = {"question": "When was the bridge built?"}


def settings(folder: Path, choose: str = "quality") -> Settings:
    content = {"index": {"path": str(folder / "index")}, "strategy": {"choose": choose}}
    return settings_of(content, read_environment({}))


@pytest.fixture
async def profile(tmp_path: Path) -> QualityProfile:
    """That of the index, which is measured but has no profile yet. Lexical search is the best plan by far."""
    with Index(tmp_path / "index") as index:
        await ingest([corpus(tmp_path / "documents")], index, {})
    measured = (await evaluate_into(settings(tmp_path), read_dataset(beir(tmp_path / "town")))).profile
    (tmp_path / "index" / "quality.json").unlink()
    plans = tuple(
        replace(plan, ndcg=0.9 if (plan.embedder, plan.retriever) == ("zero", "lexical") else 0.3)
        for plan in measured.plans
        if plan.retriever != "none"
    )
    return replace(measured, plans=plans)


async def told(replica: Replica) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a question, and what /health says of quality."""
    street = AppClient(replica.app)
    answer = (await street.call("POST", "/v1/query", QUESTION)).json
    return answer, (await street.call("GET", "/health")).json["quality"]


async def test_without_a_profile_answers_carry_the_shipped_figures_and_the_list_chooses(tmp_path, profile):
    async with build_replica(settings(tmp_path)).running() as replica:
        answer, health = await told(replica)

    assert answer["quality"]["source"] == "shipped"
    assert answer["quality"]["measured_on"] == "XQuAD (en)"
    assert 0 < answer["quality"]["expected"] <= answer["quality"]["best"]
    assert answer["served_by"]["embedder"] == "primary"
    assert (health["choose"], health["chosen_by"], health["problem"]) == ("quality", "order", None)


async def test_a_profile_that_is_stored_is_taken_up_without_a_restart(tmp_path, profile):
    async with build_replica(settings(tmp_path)).running() as replica:
        store_profile(tmp_path / "index", profile)
        await until(lambda: replica.quality.now.profile is not None)
        answer, health = await told(replica)

        assert (answer["served_by"]["embedder"], answer["served_by"]["retriever"]) == ("zero", "lexical")
        assert not answer["degraded"]
        quality = answer["quality"]
        assert (quality["expected"], quality["best"], quality["source"], quality["measured_on"]) == (
            0.9, 0.9, "profile", "town",
        )  # fmt: skip
        assert (health["chosen_by"], health["measured_at"]) == ("quality", profile.measured_at)

        (tmp_path / "index" / "quality.json").unlink()
        await until(lambda: replica.quality.now.profile is None)
        answer, _ = await told(replica)
        assert (answer["served_by"]["embedder"], answer["quality"]["source"]) == ("primary", "shipped")


async def test_in_list_order_the_profile_only_says_what_to_expect(tmp_path, profile):
    store_profile(tmp_path / "index", profile)

    async with build_replica(settings(tmp_path, "order")).running() as replica:
        answer, health = await told(replica)

    assert answer["served_by"]["embedder"] == "primary"
    assert (answer["quality"]["expected"], answer["quality"]["best"]) == (0.3, 0.9)
    assert (health["source"], health["chosen_by"]) == ("profile", "order")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ha_rag": "9.9"}, "it was measured with version 9.9"),
        ({"components": {}}, "embedder.primary was not measured"),
    ],
)
async def test_a_profile_of_something_else_is_said_and_not_used(tmp_path, profile, change, said):
    store_profile(tmp_path / "index", replace(profile, **change))

    async with build_replica(settings(tmp_path)).running() as replica:
        answer, health = await told(replica)

    assert (answer["served_by"]["embedder"], answer["quality"]["source"]) == ("primary", "shipped")
    assert said in health["problem"]
    assert "run `ha-rag evaluate` again" in health["problem"]


async def test_a_damaged_profile_is_said_and_not_used(tmp_path, profile):
    (tmp_path / "index" / "quality.json").write_text("{")

    async with build_replica(settings(tmp_path)).running() as replica:
        answer, health = await told(replica)

    assert answer["quality"]["source"] == "shipped"
    assert "is no profile of this version" in health["problem"]


async def test_after_other_documents_are_ingested_the_profile_is_of_another_corpus(tmp_path, profile):
    store_profile(tmp_path / "index", profile)
    async with build_replica(settings(tmp_path)).running() as replica:
        assert replica.quality.now.problem == ""
        for name in ("a", "b"):
            (tmp_path / f"{name}.md").write_text(f"Something else about {name}.")
            with Index(tmp_path / "index") as index:
                await ingest([tmp_path / f"{name}.md"], index, {})
        await until(lambda: "another corpus" in replica.quality.now.problem)
        assert "60 % are the same" in replica.quality.now.problem
