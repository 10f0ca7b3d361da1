"""What goes into the index: documents, and the pieces they are split into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was read. `id`: its name in citations. `source`: where it came from, such as a file's path.

    `markdown`: whether `text` has headings and lists in Markdown's form. `digest`: tells whether it changed.
    """

    id: str
    text: str
    title: str = ""
    source: str = ""
    digest: str = ""
    markdown: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A passage before it has a place in the index. `heading`: the headings above it, joined by " > "."""

    text: str
    title: str = ""
    heading: str = ""


def searchable(title: str, heading: str, text: str) -> str:
    """The words that a passage is found by, in vectors and in words alike: title and headings count as text."""
    above = [part for part in (title, heading) if part and part not in text]
    return "\n".join([*above, text])
