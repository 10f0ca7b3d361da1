"""The kinds of components that a configuration file can name. To add one, register it in the module of its type.

A kind consists of a name, a table of its settings, and a function that builds the component:

    class HashingEmbedderTable(ComponentTable):
        ...

    @EMBEDDERS.register("hashing", HashingEmbedderTable)
    def _hashing(table: HashingEmbedderTable, settings: Settings) -> Embedder:
        ...

Validation, error messages, circuits, `ha-rag check` and docs/configuration.md follow from that. Builders import their
component when they are called, so that commands which only read the settings start quickly.
"""

from __future__ import annotations

from ha_rag.assembly.kinds.embedders import EMBEDDERS
from ha_rag.assembly.kinds.generators import GENERATORS
from ha_rag.assembly.kinds.rerankers import RERANKERS
from ha_rag.assembly.kinds.retrievers import RETRIEVERS
from ha_rag.settings import ComponentList

__all__ = ["EMBEDDERS", "GENERATORS", "RERANKERS", "RETRIEVERS", "component_lists"]


def component_lists() -> list[ComponentList]:
    """The lists of components that a configuration file may have, with every kind registered so far."""
    return [EMBEDDERS.listed(), RETRIEVERS.listed(), RERANKERS.listed(), GENERATORS.listed()]
