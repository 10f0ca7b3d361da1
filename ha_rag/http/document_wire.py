"""Documents of the index as JSON: the same over HTTP and from `ha-rag documents --json`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from ha_rag.index.listed import DocumentDetails, ListedDocument, ListedPassage
from ha_rag.index.single_document import AddedDocument
from ha_rag.index.uploading import AddedFile

LONGEST_TEXT = 1_000


def document_wire(listed: ListedDocument) -> dict[str, Any]:
    """A document of a list."""
    return {
        "id": listed.id,
        "title": listed.title,
        "origin": listed.origin,
        "source": listed.source or None,
        "state": listed.state,
        "reason": listed.reason or None,
        "passages": listed.passages,
        "vectors": {str(space): number for space, number in listed.vectors.items()},
        "indexed_at": None if listed.indexed_ms is None else listed.indexed_ms / 1000,
    }


def details_wire(details: DocumentDetails) -> dict[str, Any]:
    """One document, with some of its passages."""
    return {
        **document_wire(details.listed),
        "metadata": {_sendable(key): _sendable(value) for key, value in details.metadata.items()},
        "texts": [_passage(passage) for passage in details.passages],
        "next": details.after,
    }


def added_wire(added: AddedDocument) -> dict[str, Any]:
    """A document that was added."""
    return {
        "document": added.id,
        "passages": added.passages,
        "replaced": added.replaced,
        "missing": dict(added.missing),
    }


def file_wire(added: AddedFile) -> dict[str, Any]:
    """What became of a file that was sent."""
    return {
        "file": added.name,
        "documents": [added_wire(document) for document in added.documents],
        "notes": added.notices,
        "unread": [{"part": part, "reason": why} for part, why in added.unread],
        "error": added.error or None,
    }


def _passage(passage: ListedPassage) -> dict[str, Any]:
    return {
        "passage": passage.id,
        "title": passage.title,
        "heading": passage.heading,
        "text": passage.text,
        "problem": passage.problem or None,
    }


def _sendable(value: Any) -> Any:
    """Metadata as it is, or as text if JSON of other programs cannot hold it: lone surrogates, huge numbers, depth."""
    try:
        orjson.dumps(value)
    except TypeError:
        with suppress(RecursionError):
            return ascii(value)[:LONGEST_TEXT]
        return "nested too deeply to be shown"
    return value
