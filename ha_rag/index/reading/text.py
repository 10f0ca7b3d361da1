"""Reads plain text."""

from __future__ import annotations

from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile


def read_text(file: RawFile) -> Extract:
    """The text of a file. Raises UnreadableDocumentError."""
    found = decoded(file)
    text, left_out = without_blobs(found.text)
    return Extract(text=text, markdown=False, notices=(*found.notices, *left_out), guessed=found.guessed)
