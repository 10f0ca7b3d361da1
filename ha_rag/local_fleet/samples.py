"""The documents that ship with the project: its own docs/."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def sample_documents() -> Path | None:
    """The folder of sample documents: inside an installed wheel, else beside a checkout's package; None if neither."""
    places = (_PACKAGE / "samples", _PACKAGE.parent / "docs")
    return next((place for place in places if place.is_dir()), None)
