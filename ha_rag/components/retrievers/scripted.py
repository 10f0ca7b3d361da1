"""PrimaryRetriever and ReducedRetriever: retrievers for lessons that search a few texts and fail on a script."""

from __future__ import annotations

from functools import partial

from ha_rag.components.embedders.hashing import hashed
from ha_rag.components.embedders.scripted import PRIMARY_SPACE, SECONDARY_SPACE
from ha_rag.components.retrievers.local import REDUCED_DOCS, LocalRetriever, ReducedLocalRetriever
from ha_rag.components.script import Script
from ha_rag.index.index import Index
from ha_rag.index.temporary import Documents, TemporaryIndex

_EMBED = {space: partial(hashed, dimension=space.dimension) for space in (PRIMARY_SPACE, SECONDARY_SPACE)}


def _index_of(source: Index | Documents) -> Index:
    """`source`, or an index of its texts with the vectors of PrimaryEmbedder and SecondaryEmbedder."""
    return source if isinstance(source, Index) else TemporaryIndex(source, _EMBED)


class PrimaryRetriever(LocalRetriever):
    """The first tier of a lesson: hybrid search by vectors and words.

    `source`: an index, or texts by name, or a list of texts. `script`: decides which calls fail.

        PrimaryRetriever({"breaker.md": "A circuit recovers by itself ..."}, script=Script.failing(first=3))
    """

    def __init__(self, source: Index | Documents, *, script: Script | None = None) -> None:
        super().__init__(_index_of(source), script=script)


class ReducedRetriever(ReducedLocalRetriever):
    """The second tier: the same search with at most min(top_k, `max_docs`) passages. `source`: as above."""

    def __init__(
        self, source: Index | Documents, *, max_docs: int = REDUCED_DOCS, script: Script | None = None
    ) -> None:
        super().__init__(_index_of(source), max_docs=max_docs, script=script)
