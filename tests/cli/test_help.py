"""What `ha-rag` says of itself, and how quickly."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
import typer

from ha_rag.cli.app import COMMANDS, app
from ha_rag.cli.examples import FIRST, OF
from ha_rag.version import version


def test_the_help_names_every_command_and_shows_examples(run):
    out = run("--help").stdout

    assert all(command in out for command in COMMANDS)
    assert 'ha-rag ask "How does a circuit recover?"' in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(run, command):
    result = run(command, "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout
    assert all(remark in " ".join(result.stdout.split()) for _, remark in OF[command])


@pytest.mark.parametrize("line", [line for examples in (FIRST, *OF.values()) for line, _ in examples])
def test_every_example_is_a_command_that_can_be_given(line):
    program, name, *words = shlex.split(line)
    command = typer.main.get_group(app).commands[name]

    assert program == "ha-rag"
    command.make_context(name, words)  # raises where an option or an argument is none


def test_no_help_swallows_a_word_in_brackets(run):
    assert "as [alerts] and HA_RAG_ALERT_URLS say" in " ".join(run("alerter", "--help").stdout.split())


def test_the_shell_completes_commands(tmp_path):
    asked = {"_HA_RAG_COMPLETE": "complete_bash", "COMP_WORDS": "ha-rag br", "COMP_CWORD": "1"}
    code = "from ha_rag.cli.app import app; app(prog_name='ha-rag')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["break"], done.stderr


def test_the_version_is_the_package_s(run):
    assert run("--version").stdout == f"ha-rag {version()}\n"


def test_the_command_line_loads_nothing_heavy_before_it_is_needed():
    code = "import sys, ha_rag.cli.app; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["numpy", "aiohttp", "fastapi", "uvicorn", "redis", "tantivy", "usearch", "wordllama", "ha_rag.assembly"]

    loaded = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
