"""What holds for every file that is kept."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.code import ROOT, calls, imports, python_files, shown, tree

LONGEST = 300
SLEEPERS = (
    "tests/fleet/",
    "tests/compose/",
    "tests/in_programs/test_sparse_calls_in_programs.py",  # a far Redis, and calls at intervals, are what it is about
    "tests/waiting.py",
    "tests/strategy/scripted.py",
    "tests/ledger/wire.py",
)
VIRTUAL_TIME = {"tests.strategy.virtual_time", "tests.ledger.simulated_fleet"}
"""Under their loop a sleep takes no time."""
# Written in pieces, so that this file does not match itself.
HOSTS = re.compile("https?://(files|" + r"registry|index|deb|snapshot)\.[a-z]|--(extra-)?index" + "-url")
LOCKS = {"uv.lock", "poetry.lock", "pylock.toml", "package-lock.json", "yarn.lock"}


def _kept_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is kept cannot be told from what lies about")  # a wheel, an archive
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in names if path.is_file()]


def _texts() -> list[tuple[str, str]]:
    read = [(shown(path), path.read_bytes()) for path in _kept_files()]
    return [(name, raw.decode("utf-8", "replace")) for name, raw in read if b"\0" not in raw]


def _lengths() -> dict[str, int]:
    return {shown(path): len(path.read_text().splitlines()) for path in python_files("ha_rag", "workers")}


def test_most_rooms_are_small() -> None:
    lengths = list(_lengths().values())
    assert sum(length <= 200 for length in lengths) >= 0.85 * len(lengths)


def test_no_room_is_a_hall() -> None:
    assert {name: length for name, length in _lengths().items() if length > LONGEST} == {}


def test_no_test_sleeps() -> None:
    sleeps = [
        f"{shown(path)}:{line}"
        for path in python_files("tests")
        if "sleep" in path.read_text() and not shown(path).startswith(SLEEPERS)  # before what takes longer
        if not VIRTUAL_TIME & set(imports(path))
        for call, line in calls(path)
        if call in ("time.sleep", "asyncio.sleep", "anyio.sleep", "sleep")
        if not _lets_others_run(path, line) and line not in _slow_lines(path)
    ]
    assert sleeps == []


def _lets_others_run(path: Path, line: int) -> bool:
    return "sleep(0)" in path.read_text().splitlines()[line - 1]


def _slow_lines(path: Path) -> set[int]:
    """The lines of tests that are marked as slow: those say openly that they wait."""
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    slow = [node for node in functions if "pytest.mark.slow" in map(ast.unparse, node.decorator_list)]
    return {line for node in slow for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    homes = {f"{ROOT.parent}/", f"{Path.home()}/."} - {"//", "/", "//.", "/tmp/"}
    found = [(name, home) for name, text in _texts() for home in homes if home in text]
    assert found == []


def test_no_file_names_a_package_registrys_host() -> None:
    assert [name for name, text in _texts() if HOSTS.search(text)] == []


def test_versions_are_pinned_without_a_lock_file() -> None:
    assert [shown(path) for path in _kept_files() if path.name in LOCKS] == []


def test_every_pin_is_a_name_and_a_version() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)] == []


def test_every_dependency_is_pinned() -> None:
    import tomllib

    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [pyproject["project"]["optional-dependencies"], pyproject["dependency-groups"]]
    named = (name for group in groups for names in group.values() for name in names)
    wanted = [*pyproject["project"]["dependencies"], *named]
    pinned = {
        line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    names = {re.split(r"[\[<>=;! ]", name)[0].lower() for name in wanted}
    assert names - pinned == {"ha-rag"}


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    assert [name for name, text in _texts() if name.endswith(".py") and marks.search(text)] == []


def test_a_check_that_is_switched_off_says_why() -> None:
    bare = re.compile(r"#\s*(noqa(: [A-Z0-9, ]+)?|type: ignore(\[[a-z-, ]+\])?)\s*$")
    found = [
        f"{name}:{number}"
        for name, text in _texts()
        if name.endswith(".py")
        for number, line in enumerate(text.splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_what_runs_in_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
