"""docs/failure-modes.md promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
FLEET = ROOT / "tests" / "fleet"
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_each_test_that_the_page_names_is_there(file: str, test: str):
    assert test in names_in(FLEET / file)


def test_every_fault_that_is_tested_is_on_the_page():
    there = {(path.name, test) for path in FLEET.glob("test_*.py") for test in names_in(path)}
    there = {(name, test) for name, test in there if name not in NO_FAULTS}
    assert there - set(NAMED) <= set(OLD_ACQUAINTANCES), "name it in docs/failure-modes.md"


NO_FAULTS = {
    "test_a_profile_reaches_all.py", "test_alerts.py", "test_drill.py", "test_events.py",
    "test_more_secrets_stay_secret.py", "test_rollout.py",
    "test_secrets_stay_secret.py", "test_soak_figures.py", "test_watch.py", "test_watch_keys.py",
    "test_what_the_documents_type.py",
}  # fmt: skip
"""What people are told is docs/watching.md's, secrets are docs/security.md's, rollouts are docs/deploying.md's,
profiles are docs/evaluating.md's, and a drill rehearses this page."""

OLD_ACQUAINTANCES = {
    ("test_one_opens_for_all.py", "test_failures_spread_over_replicas_that_each_saw_too_few_still_open_it"),
    ("test_one_opens_for_all.py", "test_redis_killed_loses_no_question_and_the_fleet_shares_again_after_its_return"),
}
"""Whole replicas do there what smaller ones, which the page names, do too."""


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions) and node.name.startswith("test_")}
