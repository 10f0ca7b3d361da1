"""The documents that ship with the project: its own docs/, as far as people wrote them for people."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
LISTS = {"http.md", "index.md", "scenarios.md"}
"""Long lists and printed traces, which hold every word of every question and answer none."""


def sample_documents() -> tuple[Path, ...]:
    """The files: inside an installed wheel, else beside a checkout's package; none if they are in neither."""
    places = (_PACKAGE / "samples", _PACKAGE.parent / "docs")
    folder = next((place for place in places if place.is_dir()), None)
    return () if folder is None else tuple(sorted(file for file in folder.rglob("*.md") if file.name not in LISTS))
