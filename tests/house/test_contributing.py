"""CONTRIBUTING.md and the pre-commit hooks name what exists and run what CI runs."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.house.code import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED_PATHS = sorted(set(re.findall(r"`((?:ha_rag|tests|docs)/[\w/.]+)`", CONTRIBUTING)))


@pytest.mark.parametrize("path", NAMED_PATHS)
def test_each_path_in_the_recipes_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_recipes_name_paths() -> None:
    assert len(NAMED_PATHS) > 15


def test_pre_commit_runs_the_commands_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    lint = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in lint.splitlines()[1:]]
    assert [hook["entry"] for hook in hooks] == [command.removesuffix(" .") for command in commands]
