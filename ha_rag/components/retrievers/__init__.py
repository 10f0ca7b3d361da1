"""Retrievers: questions into passages. All of these search the embedded index; others stand beside them."""

from ha_rag.components.retrievers.local import LexicalRetriever, LocalRetriever, ReducedLocalRetriever
from ha_rag.components.retrievers.scripted import PrimaryRetriever, ReducedRetriever

__all__ = [
    "LexicalRetriever",
    "LocalRetriever",
    "PrimaryRetriever",
    "ReducedLocalRetriever",
    "ReducedRetriever",
]
