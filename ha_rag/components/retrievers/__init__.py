"""Retrievers: questions into passages. All of these search the embedded index; others stand beside them."""

from ha_rag.components.retrievers.local import (
    LexicalRetriever,
    LocalRetriever,
    NoRetriever,
    PrimaryRetriever,
    ReducedRetriever,
)

__all__ = ["LexicalRetriever", "LocalRetriever", "NoRetriever", "PrimaryRetriever", "ReducedRetriever"]
