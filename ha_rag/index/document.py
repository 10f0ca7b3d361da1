"""What goes into the index: documents and the chunks they are split into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was read.

    `id`: its name in citations. `source`: where it was read from, such as a file's path. `markdown`: whether `text` is
    Markdown. `digest`: changes when the document changes.
    """

    id: str
    text: str
    title: str = ""
    source: str = ""
    digest: str = ""
    markdown: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Part of a document; becomes a passage when it is indexed. `heading`: the headings above it, joined by " > "."""

    text: str
    title: str = ""
    heading: str = ""


def searchable(title: str, heading: str, text: str) -> str:
    """The text that a passage is embedded and searched by: title and headings are included."""
    above = [part for part in (title, heading) if part and part not in text]
    return "\n".join([*above, text])
