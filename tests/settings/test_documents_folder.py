"""The folder that `ha-rag up` indexes: `./documents`, or the one in the file, if it holds something."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.assembly.configuration import load_settings


def folder_in(place: Path, content: str = "") -> Path | None:
    file = place / "ha_rag.toml"
    file.write_text(content)
    return load_settings(file, {}).documents_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_that_is_not_there_or_holds_only_hidden_files_is_none(here: Path) -> None:
    assert folder_in(here) is None
    (here / "documents").mkdir()
    (here / "documents" / ".gitkeep").write_text("")
    assert folder_in(here) is None


def test_a_folder_with_a_file_is_indexed(here: Path) -> None:
    (here / "documents").mkdir()
    (here / "documents" / "a.md").write_text("Zebras graze.")
    assert folder_in(here) == Path("documents")


def test_another_folder_or_none_can_be_named(here: Path) -> None:
    (here / "handbook").mkdir()
    (here / "handbook" / "a.md").write_text("Zebras graze.")
    assert folder_in(here, '[index]\ndocuments = "handbook"\n') == Path("handbook")
    assert folder_in(here, '[index]\ndocuments = ""\n') is None


def test_samples_can_be_switched_off(here: Path) -> None:
    (here / "ha_rag.toml").write_text("[index]\nsamples = false\n")
    assert load_settings(here / "ha_rag.toml", {}).index.samples is False
