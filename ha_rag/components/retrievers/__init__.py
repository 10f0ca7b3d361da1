"""Retrievers find passages. These search the embedded index."""

from ha_rag.components.retrievers.local import LexicalRetriever, LocalRetriever, ReducedLocalRetriever
from ha_rag.components.retrievers.scripted import PrimaryRetriever, ReducedRetriever

__all__ = [
    "LexicalRetriever",
    "LocalRetriever",
    "PrimaryRetriever",
    "ReducedLocalRetriever",
    "ReducedRetriever",
]
