"""docs/configuration.md matches the code."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from ha_rag.assembly.configuration import settings_of
from ha_rag.settings import read_environment
from ha_rag.settings.reference import EXAMPLE

COMMAND = [sys.executable, "-m", "ha_rag.assembly.reference"]
PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_command_generates():
    generated = subprocess.run(COMMAND, capture_output=True, check=True).stdout.decode()
    assert PAGE.read_text(encoding="utf-8") == generated, (
        "regenerate it: python -m ha_rag.assembly.reference > docs/configuration.md"
    )


def test_the_example_on_the_page_is_accepted():
    settings = settings_of(tomllib.loads(EXAMPLE), read_environment({"REDIS_PASSWORD": "x", "OPENAI_API_KEY": "k"}))

    assert settings.warnings == ()
