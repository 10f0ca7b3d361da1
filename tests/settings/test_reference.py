"""docs/configuration.md says what the code does."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ha_rag.settings import read_environment, settings_of
from ha_rag.settings.reference import EXAMPLE, reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_code_writes():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m ha_rag.settings.reference > docs/configuration.md"
    )


def test_the_example_on_the_page_is_accepted():
    settings = settings_of(tomllib.loads(EXAMPLE), read_environment({"REDIS_PASSWORD": "x", "OPENAI_API_KEY": "k"}))

    assert settings.warnings == ()
