"""What goes into the index: documents and the chunks they are split into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_SLICE = 65_536


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


class PassageText(NamedTuple):
    """The texts of a passage in the index. `document`: the id of its document. `row`: its own."""

    row: int
    document: str
    title: str
    heading: str
    text: str


def searchable(title: str, heading: str, text: str) -> str:
    """The text that a passage is embedded and searched by: title and headings are included."""
    above = [part for part in (title, heading) if part and part not in text]
    return "\n".join([*above, text])


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in `text`. In a thread, it lets other threads run every millisecond."""
    slices = (text[start : start + _SLICE] for start in range(0, len(text), _SLICE))
    return any(_LETTER_OR_DIGIT.search(part) for part in slices)
