"""The sample documents: the project's own docs/, without generated pages and those for its contributors."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
LEFT_OUT = {"benchmarks.md", "http.md", "index.md", "scenarios.md", "testing.md"}
"""Generated references, figures and traces match every question and answer none; tests concern only contributors."""


def sample_documents() -> tuple[Path, ...]:
    """The files: from the installed wheel, else from the checkout; empty if there are none."""
    places = (_PACKAGE / "samples", _PACKAGE.parent / "docs")
    folder = next((place for place in places if place.is_dir()), None)
    return () if folder is None else tuple(sorted(file for file in folder.rglob("*.md") if file.name not in LEFT_OUT))
