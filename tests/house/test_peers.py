"""docs/testing.md names no test that is not there, and leaves none of those out that are about peers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8"))
ABOUT_PEERS = ["tests/breaker/test_known_bugs_of_breakers.py", "tests/breaker/test_known_bugs_of_gateways.py"]


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)))
def test_each_test_that_the_page_names_is_there(file: str, test: str):
    assert test in names_in(file)


SUPPORTING = {"test_a_ledger_error_is_never_raised_to_the_caller_of_a_guarded_function"}
"""Of no peer."""


@pytest.mark.parametrize("file", ABOUT_PEERS)
def test_every_failing_that_is_tested_is_in_the_list(file: str):
    there = {name for name in names_in(file) if name.startswith("test_")}
    assert there - {test for _, test in NAMED} <= SUPPORTING
