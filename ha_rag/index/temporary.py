"""TemporaryIndex: an index of a few texts, for a lesson, a notebook or a test."""

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
"""Texts by name, or texts alone, which are then named document-1, document-2 and so on."""
Embed = Callable[[str], Vector]


class TemporaryIndex(Index):
    """An index of `documents` in a temporary folder, which is deleted when this object is collected.

    `embed`: for each vector space, the function that makes a text's vector. Documents are read as Markdown and split
    like those of `ingest`. Raises ConfigurationError if there are no documents or one is empty.
    """

    def __init__(self, documents: Documents, embed: Mapping[Space, Embed] | None = None) -> None:
        texts = _named(documents)
        folder = tempfile.mkdtemp(prefix="ha-rag-index-")
        try:
            super().__init__(folder)
        finally:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with self.writer() as writer:
            for name, text in texts.items():
                document = Document(id=name, text=text, source=name, digest=text, markdown=True)
                chunks = split(document)
                words = [searchable(chunk.title, chunk.heading, chunk.text) for chunk in chunks]
                vectors = {space: [vector_of(word) for word in words] for space, vector_of in (embed or {}).items()}
                writer.put(document, chunks, vectors)
            writer.commit()
        self.refresh()


def _named(documents: Documents) -> dict[str, str]:
    if isinstance(documents, str):
        raise ConfigurationError(f"documents = {documents[:80]!r}: must be texts by name, or a list of texts")
    named = documents if isinstance(documents, Mapping) else {f"document-{n}": t for n, t in enumerate(documents, 1)}
    for name, text in named.items():
        if not text.strip():
            raise ConfigurationError(f"documents: {name!r} is empty")
    if not named:
        raise ConfigurationError("documents: must contain at least one text")
    return dict(named)
