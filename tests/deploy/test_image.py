"""What the image makes of the words behind `docker run ha-rag`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import typer

from ha_rag.cli.app import app

ENTRYPOINT = Path(__file__).parents[2] / "compose" / "entrypoint.sh"


def started(folder: Path, *words: str) -> str:
    """What the entrypoint runs, as a stand-in for every program of the image tells it."""
    for program in ("ha-rag", "python"):
        (folder / program).write_text(f"#!/bin/sh\necho {program} $*\n")
        (folder / program).chmod(0o755)
    ran = subprocess.run(
        ["sh", ENTRYPOINT, *words],
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_every_command_of_ha_rag_is_one_of_the_image() -> None:
    (named,) = re.findall(r"^  (up .*?) \| --\*\)", ENTRYPOINT.read_text(), re.MULTILINE)
    assert sorted(named.split(" | ")) == sorted(typer.main.get_group(app).commands)


def test_a_command_goes_to_ha_rag_and_everything_else_is_run_as_it_stands(tmp_path: Path) -> None:
    assert started(tmp_path, "learn", "--auto") == "ha-rag learn --auto"
    assert started(tmp_path, "--version") == "ha-rag --version"
    assert started(tmp_path, "python", "-m", "workers.replica") == "python -m workers.replica"
    assert started(tmp_path, "sh", "-c", "echo mine") == "mine"
