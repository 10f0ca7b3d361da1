"""The number of cores the process may use: its affinity and its container's limit."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from ha_rag import cores
from ha_rag.cores import limit


def _groups(folder: Path, own: str, **limits: str) -> tuple[Path, Path]:
    """A tree of control groups with the process in `own`. `limits`: by folder, "__" for "/" ("root": the top)."""
    for name, text in limits.items():
        group = folder / "groups" / ("" if name == "root" else name.replace("__", "/"))
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.max").write_text(text)
    (folder / "own").write_text(own)
    return folder / "groups", folder / "own"


def test_a_containers_limit_is_read_from_its_own_group(tmp_path: Path) -> None:
    assert limit(*_groups(tmp_path, "0::/\n", root="150000 100000\n")) == 1.5


def test_the_lowest_limit_of_the_parent_groups_applies(tmp_path: Path) -> None:
    groups = _groups(
        tmp_path, "0::/pods/one\n", pods="200000 100000\n", pods__one="400000 100000\n", root="max 100000\n"
    )
    assert limit(*groups) == 2.0


def test_another_groups_limit_does_not_apply(tmp_path: Path) -> None:
    assert limit(*_groups(tmp_path, "0::/one\n", one="300000 100000\n", two="100000 100000\n")) == 3.0


@pytest.mark.parametrize("text", ["max 100000\n", "", "nonsense\n", "100000 0\n"])
def test_an_unreadable_limit_is_ignored(tmp_path: Path, text: str) -> None:
    assert limit(*_groups(tmp_path, "0::/\n", root=text)) == math.inf


@pytest.mark.parametrize("own", ["", "1:cpu:/\n", "0::/gone/since\n"])
def test_a_process_without_a_group_of_version_2_has_no_limit(tmp_path: Path, own: str) -> None:
    assert limit(*_groups(tmp_path, own)) == math.inf


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert limit(tmp_path / "no groups", tmp_path / "no process") == math.inf


@pytest.mark.parametrize(("allowed", "expected"), [("10000 100000", 1), ("110000 100000", 2), ("6400000 100000", 4)])
def test_cores_are_a_whole_number_from_one_to_the_processs_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str, expected: int
) -> None:
    groups, own = _groups(tmp_path, "0::/\n", root=allowed)
    monkeypatch.setattr(cores, "GROUPS", groups)
    monkeypatch.setattr(cores, "OWN_GROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert cores.cores() == expected
