"""Adds and deletes documents over HTTP; every available embedder makes their vectors in its space."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import HaRagError
from ha_rag.index.embedding import Permitted
from ha_rag.index.index import Index
from ha_rag.index.listed import DocumentDetails, DocumentFilter, ListPage
from ha_rag.index.listing import DocumentList
from ha_rag.index.single_document import AddedDocument, MediaType, add_document, delete_document
from ha_rag.index.uploading import AddedFile, FileAdder, UploadedFile
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType
from ha_rag.strategy import FallbackStrategy
from ha_rag.threads import computing


class IndexDocuments:
    """The documents of one index, for the HTTP endpoints. Safe across tasks of one event loop."""

    def __init__(self, index: Index, strategy: FallbackStrategy, circuits: CircuitRegistry) -> None:
        self._index = index
        self._embedders = embedders_of(strategy)
        self._circuits = circuits
        self._files = FileAdder(index, self._embedders, permitted=permitted_by(circuits))
        self._list = DocumentList(index.folder, [embedder.space for embedder in self._embedders.values()])

    async def page(self, wanted: DocumentFilter, limit: int, after: bytes) -> ListPage:
        return await asyncio.to_thread(self._list.page, wanted, limit, after)

    async def details(self, document: str, limit: int, after: int) -> DocumentDetails | None:
        return await asyncio.to_thread(self._list.document, document, limit, after)

    async def add(
        self,
        document: str | None,
        text: str,
        title: str,
        metadata: Mapping[str, Any],
        media_type: MediaType | None = None,
    ) -> AddedDocument:
        name = document or await computing.run(_name_of, text)
        return await add_document(
            self._index,
            self._embedders,
            name,
            text,
            title,
            metadata,
            media_type=media_type,
            permitted=permitted_by(self._circuits),
        )

    async def add_files(self, files: Sequence[UploadedFile]) -> Sequence[AddedFile]:
        return await self._files.add(files)

    async def delete(self, document: str) -> bool:
        return await delete_document(self._index, document)

    def loaded(self) -> bool:
        return self._index.loaded

    def status(self) -> dict[str, Any]:
        try:
            return {
                "documents": self._index.documents,
                "passages": self._index.passages,
                "spaces": {str(held.space): held.vectors for held in self._index.spaces()},
                "problem": self._index.problem,
            }
        except HaRagError as error:
            return {"documents": 0, "passages": 0, "spaces": {}, "problem": str(error)}


def _name_of(text: str) -> str:
    return f"text-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def embedders_of(strategy: FallbackStrategy) -> dict[str, Embedder]:
    """The strategy's embedders by name, for an ingest."""
    return {tier.name: tier.component for tier in strategy.embedders}


def permitted_by(circuits: CircuitRegistry) -> Permitted:
    """Whether an embedder may be called: an ingest respects open circuits, but reports no outcomes to them."""

    async def permitted(embedder: str) -> bool:
        return circuits.breaker(f"{ComponentType.EMBEDDER}.{embedder}").state is not CircuitState.OPEN

    return permitted
