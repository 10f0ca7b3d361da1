"""What `ha-rag` says of itself, and how quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ha_rag.version import version

COMMANDS = ["up", "serve", "ingest", "ask", "watch", "circuits", "break", "mend", "check", "dashboard", "alerter"]


def test_the_help_names_every_command_and_shows_examples(run):
    out = run("--help").stdout

    assert all(command in out for command in COMMANDS)
    assert 'ha-rag ask "How does a circuit recover?"' in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    result = run(command, "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_the_version_is_the_package_s(run):
    assert run("--version").stdout == f"ha-rag {version()}\n"


def test_the_command_line_loads_nothing_heavy_before_it_is_needed():
    code = "import sys, ha_rag.cli.app; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["numpy", "aiohttp", "fastapi", "uvicorn", "redis", "tantivy", "usearch", "wordllama", "ha_rag.assembly"]

    loaded = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
