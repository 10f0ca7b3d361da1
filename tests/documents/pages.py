"""What README and docs/ tell a reader to type, and to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"\s{2,}# .*$")


@dataclass(frozen=True)
class Snippet:
    """One fenced block. `language`: "" where none is named."""

    page: str
    language: str
    text: str


@dataclass(frozen=True)
class Typed:
    """One command as a reader would type it, on one line, without the remark behind it."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def snippets() -> Iterator[Snippet]:
    """Every fenced block of every page but scenarios.md, which is written by the code itself."""
    for page in PAGES:
        if page.name != "scenarios.md":
            for language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
                yield Snippet(str(page.relative_to(ROOT)), language, text)


def commands() -> list[Typed]:
    """What stands behind a "$ " in the blocks called console, in order."""
    return [
        Typed(each.page, _REMARK.sub("", line).strip())
        for each in snippets()
        if each.language == "console"
        for line in re.sub(r"\\\n\s*", "", each.text).splitlines()
        if line.startswith("$ ")
        for line in [line.removeprefix("$ ")]
    ]


def snippet(page: str, language: str, beginning: str = "") -> str:
    """The one block of that page and language that begins so."""
    found = [each.text for each in snippets() if (each.page, each.language) == (page, language)]
    (one,) = [text for text in found if text.startswith(beginning)]
    return one
