"""A retriever kind in one file: the component, its settings and its registration."""

from __future__ import annotations

from pydantic import Field

from ha_rag.assembly.kinds import RETRIEVERS
from ha_rag.index.index import Index
from ha_rag.messages import Embedding, Passage
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable


class NotesRetriever:
    """Returns the notes that share a word with the question."""

    in_process = True

    def __init__(self, notes: dict[str, str]) -> None:
        self._notes = notes

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        words = {word.strip("?.").lower() for word in question.split()}
        found = [
            Passage(document=name, id=f"{name}#0", text=text)
            for name, text in self._notes.items()
            if words & set(text.lower().strip(".").split())
        ]
        return found[:top_k]


class NotesTable(ComponentTable):
    """Notes from the configuration file."""

    notes: dict[str, str] = Field(min_length=1, description="The text of each note by name.")


@RETRIEVERS.register("notes", NotesTable)
def _notes(table: NotesTable, _: Settings, __: Index) -> NotesRetriever:
    return NotesRetriever(dict(table.notes))
