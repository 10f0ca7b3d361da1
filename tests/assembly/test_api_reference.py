"""docs/api.md matches the code, and names everything public about circuits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ha_rag
from ha_rag.testing import __all__ as testing_names

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
OF_CIRCUITS = [name for name in ha_rag.__all__ if name.startswith(("Circuit", "Permit", "Refusal", "Verdict", "Fleet"))]


def test_the_page_is_what_the_command_generates() -> None:
    generated = subprocess.run([sys.executable, "-m", "ha_rag.assembly.api"], capture_output=True, check=True).stdout
    assert PAGE.read_text(encoding="utf-8") == generated.decode(), (
        "regenerate it: python -m ha_rag.assembly.api > docs/api.md"
    )


@pytest.mark.parametrize("name", [*OF_CIRCUITS, *(f"ha_rag.testing.{name}" for name in testing_names)])
def test_every_public_name_has_its_own_heading(name: str) -> None:
    assert f"\n### `{name}`\n" in PAGE.read_text()


INTERNAL = {"before", "frame", "outer", "recorder", "renew_in_child", "view"}
"""Attributes that only this library uses."""


def test_every_member_of_a_breaker_and_a_registry_is_on_the_page() -> None:
    page = PAGE.read_text()
    for cls in (ha_rag.CircuitBreaker, ha_rag.CircuitRegistry, ha_rag.Permit, ha_rag.Refusal):
        section = page.partition(f"\n### `{cls.__name__}`\n")[2].partition("\n### ")[0]
        members = [name for name in dir(cls) if not name.startswith("_") and name not in INTERNAL]
        assert [name for name in members if f"`{name}`" not in section and f".{name}`" not in section] == []
