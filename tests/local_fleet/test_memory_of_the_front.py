"""The front gives memory back as a replica does, unless the environment says how malloc is to behave."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ha_rag.local_fleet import front
from ha_rag.local_fleet.front import Front, FrontConfig


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the allocator was told to, in a front that stops at once."""
    told: list[str] = []

    async def stops(_: Front, host: str, port: int, config: FrontConfig) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(front, "give_memory_back", lambda: told.append("told"))
    monkeypatch.setattr(front, "allow_files", lambda number: None)
    monkeypatch.setattr(front, "_until_told", stops)
    monkeypatch.setattr(sys, "argv", ["front", "rag-1=http://127.0.0.1:9"])
    for name in ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    return told


def test_large_bodies_leave_no_memory_behind_that_the_system_could_use(given_back: list[str]) -> None:
    front.main()
    assert given_back == ["told"]


@pytest.mark.parametrize(("name", "value"), [("MALLOC_ARENA_MAX", "4"), ("GLIBC_TUNABLES", "glibc.malloc.perturb=1")])
def test_the_environment_has_the_last_word(
    name: str, value: str, given_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    front.main()
    assert given_back == []


def test_a_variable_that_is_empty_counts_as_unset(given_back: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "")
    front.main()
    assert given_back == ["told"]
