"""CorpusVersion: which documents an index holds, so that a profile measured on others is not mistaken for its own.

A sketch of the documents is kept, not of the database: the same documents, ingested elsewhere or restored from a
backup, are the same corpus, and one document more does not make another corpus of ten thousand.
Source: A. Broder, On the resemblance and containment of documents, 1997 (bottom-k sketches).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

from ha_rag.index.schema import DATABASE, open_for_reading, translated

KEPT = 256
"""Hashes in a sketch: the estimate is off by 2 points on average, and exact for as many documents or fewer."""


@dataclass(frozen=True, slots=True)
class CorpusVersion:
    """`documents`: how many there are. `sketch`: the smallest hashes of their ids and contents, in order."""

    documents: int
    sketch: tuple[str, ...]

    @classmethod
    def of(cls, documents: Iterable[tuple[str, str]]) -> CorpusVersion:
        """That of (id, digest) pairs."""
        hashes = {_hash(name, digest) for name, digest in documents}
        return cls(len(hashes), tuple(nsmallest(KEPT, hashes)))

    @classmethod
    def of_index(cls, folder: Path) -> CorpusVersion:
        """That of the index in `folder`. Raises IndexStoreError."""
        if not (folder / DATABASE).exists():
            return cls(0, ())
        with translated(folder), closing(open_for_reading(folder)) as connection:
            return cls.of(connection.execute("SELECT id, digest FROM documents"))

    def shared(self, other: CorpusVersion) -> float:
        """The share of all documents of both that both hold, unchanged; estimated for large ones."""
        union = nsmallest(KEPT, {*self.sketch, *other.sketch})
        if not union:
            return 1.0
        both = set(self.sketch) & set(other.sketch)
        return sum(one in both for one in union) / len(union)


def _hash(name: str, digest: str) -> str:
    return hashlib.blake2b(f"{name}\0{digest}".encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
