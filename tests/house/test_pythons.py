"""Which Pythons are claimed stands in pyproject.toml; everything else agrees with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.code import ROOT

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLAIMED = re.findall(r":: Python :: (3\.\d+)$", "\n".join(PYPROJECT["project"]["classifiers"]), re.MULTILINE)
OLDEST = CLAIMED[0]
PAGES = ["README.md", "CONTRIBUTING.md", "Dockerfile", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]

from_checkout = pytest.mark.skipif(
    not (ROOT / "Makefile").exists(), reason="an archive has neither Makefile nor workflow"
)


def test_the_classifiers_name_every_python_from_the_oldest_that_is_required() -> None:
    assert PYPROJECT["project"]["requires-python"] == f">={OLDEST}"
    first = int(OLDEST.removeprefix("3."))
    assert [f"3.{first + n}" for n in range(len(CLAIMED))] == CLAIMED


def test_lint_checks_for_the_oldest() -> None:
    tools = PYPROJECT["tool"]
    assert tools["ruff"]["target-version"] == f"py{OLDEST.replace('.', '')}"
    assert tools["mypy"]["python_version"] == OLDEST


@from_checkout
def test_the_workflow_lints_and_tests_on_each_of_them() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == CLAIMED
    assert {"make lint", "make test"} <= {step.get("run") for step in job["steps"]}


@from_checkout
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_refuses_what_is_older_than_the_oldest(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\n[ \"$1\" = -c ] || exec echo 'Python 0.0'\n"
        f'exec "{sys.executable}" -c "import sys; sys.version_info = (3, 0); $2"\n'
    )
    python.chmod(0o755)
    make = ["make", "install", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    refused = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode
    assert f"ha_rag needs Python {OLDEST} or newer" in refused.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if (ROOT / page).exists()])
def test_a_page_names_none_but_those(page: str) -> None:
    text = (ROOT / page).read_text()
    assert set(re.findall(r"Python (3\.\d+)(?:\+| or newer)", text)) <= {OLDEST}
    assert set(re.findall(r"[Pp]ython[ :]?(3\.\d+)", text)) <= set(CLAIMED)


def pyenv(home: Path, version: str, told: str) -> Path:
    """A Python of pyenv's below `home` that says it is version `told`."""
    python = home / ".pyenv" / "versions" / f"{version}.0" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {told}\n")
    python.chmod(0o755)
    return python


def second_python(home: Path) -> str:
    """What `.ci/second-python` finds where `python3` is the oldest one, and no other is on the PATH."""
    (home / "bin").mkdir(exist_ok=True)
    first = home / "bin" / "python3"
    first.write_text(f"#!/bin/sh\necho {OLDEST}\n")
    first.chmod(0o755)
    for name in ("bash", "dirname", "sed", "sort", "env"):
        found = shutil.which(name)
        assert found is not None
        (home / "bin" / name).symlink_to(found)
    variables = {"HOME": str(home), "PATH": str(home / "bin")}
    command = [str(ROOT / ".ci" / "second-python")]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True).stdout


@from_checkout
def test_ci_takes_the_newest_that_is_claimed_and_runs_as_its_second(tmp_path: Path) -> None:
    pyenv(tmp_path, OLDEST, OLDEST)
    pyenv(tmp_path, f"3.{int(CLAIMED[-1].removeprefix('3.')) + 1}", "too new")
    newest = pyenv(tmp_path, CLAIMED[-1], CLAIMED[-1])
    assert second_python(tmp_path) == f"{newest}\n"


@from_checkout
def test_ci_has_no_second_where_none_runs(tmp_path: Path) -> None:
    pyenv(tmp_path, CLAIMED[-1], "")
    assert second_python(tmp_path) == ""
