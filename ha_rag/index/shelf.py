"""Shelf: a few documents in an index of their own, for a lesson, a notebook or a test."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence

from ha_rag.errors import ConfigurationError
from ha_rag.index.document import Document, searchable
from ha_rag.index.index import Index
from ha_rag.index.splitting import split
from ha_rag.messages import Space, Vector

Documents = Mapping[str, str] | Sequence[str]
"""Texts by name, or texts alone, which are then called document-1, document-2 and so on."""
Column = Callable[[str], Vector]


class Shelf(Index):
    """The index of `documents`, in a temporary folder that goes when nobody holds this any more.

    `columns`: for each vector space, what makes a text's vector. Documents are read as Markdown, and split as `ingest`
    splits them. Raises ConfigurationError where there is none, or one is empty.
    """

    def __init__(self, documents: Documents, columns: Mapping[Space, Column] | None = None) -> None:
        texts = _named(documents)
        folder = tempfile.mkdtemp(prefix="ha-rag-shelf-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        super().__init__(folder)
        with self.writer() as writer:
            for name, text in texts.items():
                document = Document(id=name, text=text, source=name, digest=text, markdown=True)
                pieces = split(document)
                words = [searchable(piece.title, piece.heading, piece.text) for piece in pieces]
                vectors = {space: [of(word) for word in words] for space, of in (columns or {}).items()}
                writer.put(document, pieces, vectors)
            writer.commit()
        self.refresh()

    def __del__(self) -> None:
        if hasattr(self, "_access"):  # it may have failed before it was an index
            self.close()


def _named(documents: Documents) -> dict[str, str]:
    if isinstance(documents, str):
        raise ConfigurationError(f"documents = {documents[:80]!r}: must be texts by name, or a list of texts")
    named = documents if isinstance(documents, Mapping) else {f"document-{n}": t for n, t in enumerate(documents, 1)}
    for name, text in named.items():
        if not text.strip():
            raise ConfigurationError(f"documents: {name!r} is empty")
    if not named:
        raise ConfigurationError("documents: must hold at least one text")
    return dict(named)
