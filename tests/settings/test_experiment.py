"""`[experiment]`: two arms of listed tiers; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.errors import ConfigurationError
from ha_rag.settings import Settings

TIERS = """
[[generators]]
name = "large"
kind = "extractive"
[[generators]]
name = "small"
kind = "extractive"
"""
HEAD = '[experiment]\nname = "bigger"\n'
CONTROL = '[[experiment.arms]]\nname = "control"\n'
OTHER = '[[experiment.arms]]\nname = "other"\ngenerator = "small"\n'


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "ha_rag.toml"
    file.write_text(text + TIERS)
    return load_settings(file)


def test_two_arms(tmp_path: Path) -> None:
    table = loaded(tmp_path, HEAD + CONTROL + OTHER + "weight = 3\n").experiment
    assert table is not None
    assert (table.name, table.header, table.late_s) == ("bigger", "X-Session-Id", 5.0)
    assert [(arm.name, arm.weight, arm.firsts) for arm in table.arms] == [
        ("control", 1, {}),
        ("other", 3, {"generator": "small"}),
    ]


def test_without_the_table_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").experiment is None


def test_an_arm_may_search_by_words_alone(tmp_path: Path) -> None:
    table = loaded(tmp_path, HEAD + CONTROL + OTHER.replace('generator = "small"', 'embedder = "zero"')).experiment
    assert table is not None
    assert table.arms[1].firsts == {"embedder": "zero"}


def test_by_quality_the_first_of_a_list_is_an_arm_of_its_own(tmp_path: Path) -> None:
    arm = OTHER.replace("small", "large")
    assert loaded(tmp_path, '[strategy]\nchoose = "quality"\n' + HEAD + CONTROL + arm).experiment is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HEAD, "experiment.arms: is required"),
        (HEAD + CONTROL, "experiment.arms = [{name = \"control\"}]: must be two arms, each in a table"),
        (HEAD + CONTROL + OTHER + OTHER, "must be two arms, each in a table [[experiment.arms]]"),
        (HEAD + OTHER + OTHER, "must have two different names"),
        (HEAD + CONTROL + OTHER.replace("small", "tiny"), 'experiment.arms[1].generator = "tiny": must be one of'),
        (HEAD + CONTROL + OTHER.replace("small", "plain"), 'experiment.arms[1].generator = "plain": must be one of'),
        (HEAD + CONTROL + OTHER.replace("generator", "reranker"), "no [[rerankers]] are listed"),
        (HEAD + CONTROL + OTHER.replace("small", "large"), "both call the same tiers first"),
        (HEAD + CONTROL + OTHER + "weight = 0\n", "experiment.arms[1].weight = 0: must be at least 1"),
        (HEAD + CONTROL + OTHER + "weigth = 2\n", "experiment.arms[1].weigth = 2: unknown key; did you mean weight?"),
        (HEAD + CONTROL + OTHER.replace('"other"', '"The other"'), 'arms[1].name = "The other": must be lower'),
        (HEAD.replace("bigger", "a:b") + CONTROL + OTHER, 'experiment.name = "a:b": must be lower-case letters'),
        (HEAD + "headr = \"X\"\n" + CONTROL + OTHER, 'experiment.headr = "X": unknown key; did you mean header?'),
        (HEAD + "late_s = 0\n" + CONTROL + OTHER, "experiment.late_s = 0: must be above 0"),
        ("[cache]\nembedings = true\n", "cache.embedings = true: unknown key; did you mean embeddings?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text)
    assert problem in str(refused.value)
