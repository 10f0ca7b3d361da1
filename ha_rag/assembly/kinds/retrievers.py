"""The kinds of retrievers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.interfaces import Retriever
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable

if TYPE_CHECKING:
    from ha_rag.index.index import Index

RETRIEVERS: KindRegistry[[Settings, Index], Retriever] = KindRegistry(
    ComponentType.RETRIEVER,
    default=[
        {"name": "primary", "kind": "local"},
        {"name": "reduced", "kind": "reduced"},
        {"name": "lexical", "kind": "lexical"},
    ],
)


class LocalRetrieverTable(ComponentTable):
    """Hybrid search in the embedded index, by vectors and words."""


@RETRIEVERS.register("local", LocalRetrieverTable)
def _local(_: LocalRetrieverTable, __: Settings, index: Index) -> Retriever:
    from ha_rag.components.retrievers.local import LocalRetriever

    return LocalRetriever(index)


class ReducedRetrieverTable(ComponentTable):
    """The same hybrid search with fewer passages."""

    max_docs: int = Field(default=2, ge=1, le=50, description="The most passages it returns.")


@RETRIEVERS.register("reduced", ReducedRetrieverTable)
def _reduced(table: ReducedRetrieverTable, _: Settings, index: Index) -> Retriever:
    from ha_rag.components.retrievers.local import ReducedLocalRetriever

    return ReducedLocalRetriever(index, max_docs=table.max_docs)


class LexicalRetrieverTable(ComponentTable):
    """Search by words alone (BM25) in the embedded index; needs no embedding."""


@RETRIEVERS.register("lexical", LexicalRetrieverTable)
def _lexical(_: LexicalRetrieverTable, __: Settings, index: Index) -> Retriever:
    from ha_rag.components.retrievers.local import LexicalRetriever

    return LexicalRetriever(index)
