"""What a list of documents says of each, and which documents are asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ha_rag.index.sources import is_sample
from ha_rag.messages import Space

DocumentState = Literal["searchable", "waiting", "indexing", "damaged"]
"""`waiting`: found by words, but some of its passages have no vector yet. `indexing`: its writer has not finished, or
was stopped. `damaged`: some of it is left out until it is read again.
"""
Origin = Literal["file", "http", "sample"]
ADDED = "added:"
"""What the source of a document that was sent over HTTP, or added by a program, begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDocument:
    """One document of an index.

    `source`: the file it was read from ("FILE#ID" for a line of a file), or "" if there is none. `reason`: why
    it is in its state, unless that is "searchable". `passages`: how many it has; `vectors`: how many of them have one,
    by space. `indexed_ms`: when this content was indexed, in Unix milliseconds; None if 0.1.0 has indexed it.
    """

    id: str
    title: str
    origin: Origin
    source: str
    state: DocumentState
    reason: str
    passages: int
    vectors: Mapping[Space, int]
    indexed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPassage:
    """A passage. `problem`: what is wrong with it if it is damaged; then it has no texts."""

    id: str
    number: int
    title: str = ""
    heading: str = ""
    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDetails:
    """A document with some of its passages. `after`: the number of the last one, if more follow."""

    listed: ListedDocument
    metadata: Mapping[str, object]
    passages: tuple[ListedPassage, ...]
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """Part of a list, in the order of the ids' bytes. `after`: where the next page begins; None at the end.

    `total`: the number of documents in the index, whatever was asked for.
    """

    documents: tuple[ListedDocument, ...] = ()
    after: bytes | None = None
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """Which documents are asked for: those that meet all of this.

    `words`: each must be part of the id, the title or the source, in any case. `state`, `origin`: None for any.
    """

    words: str = ""
    state: DocumentState | None = None
    origin: Origin | None = None
    _wanted: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", tuple(_folded(self.words).split()))

    def may_fit(self, identity: str, title: str, source: str) -> bool:
        """Whether a document of this id, title and source fits, as far as they tell."""
        if self.origin not in (None, origin_of(source)):
            return False
        if not self._wanted:
            return True
        text = _folded("\n".join((identity, title, source.removeprefix(ADDED))))
        return all(word in text for word in self._wanted)

    def fits(self, listed: ListedDocument) -> bool:
        """Whether the state of a document that may fit does."""
        return self.state in (None, listed.state)


def origin_of(source: str) -> Origin:
    """Where a document came from: a file that an ingest has read, a request, or the samples of `ha-rag up`."""
    if is_sample(source):
        return "sample"
    return "file" if Path(source).is_absolute() else "http"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
