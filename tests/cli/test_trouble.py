"""What becomes of errors that a command meets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from ha_rag.cli.trouble import honest


def test_what_nobody_foresaw_is_one_sentence_and_its_traceback_is_kept(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def command() -> None:
        raise ModuleNotFoundError("No module named 'yaml'")

    with pytest.raises(typer.Exit) as ended:
        honest(command)()

    said = capsys.readouterr().err
    assert ended.value.exit_code == 1
    assert said.startswith("ha-rag: internal error: ModuleNotFoundError: No module named 'yaml'; ")
    assert len(said.splitlines()) == 1
    kept = re.search(r"\S+\.txt", said)
    assert kept is not None
    assert "Traceback" in Path(kept[0]).read_text()


def test_an_exit_keeps_its_code():
    def command() -> None:
        raise typer.Exit(7)

    with pytest.raises(typer.Exit) as ended:
        honest(command)()

    assert ended.value.exit_code == 7
