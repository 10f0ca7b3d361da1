"""The form of a lexical index: its fields, how texts are cut for them, and how a question searches them.

A reader searches an index in the form in which it was written. So it serves one of version 0.1.0 until a writer has
made a new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import tantivy

from ha_rag.errors import IndexStoreError
from ha_rag.index.words_files import small_file

MAX_TERMS = 128
"""How many distinct terms of a question are searched for; further ones cost time and hardly change the result."""
RECORD = "analysis.json"
"""The file in a lexical index that has the version of its form. Version 0.1.0 wrote form 1, without such a file."""


class Term(NamedTuple):
    """A term to search for in a field, and what its score is multiplied by."""

    field: str
    text: str
    boost: float = 1.0


Questions = Callable[[str], list[Term]]
"""What a question searches for, in the order of its words, each term once. Safe across threads."""


class WordsForm(Protocol):
    """How a lexical index of one form is opened and searched. Safe across threads. `schema`: its fields."""

    @property
    def schema(self) -> tantivy.Schema: ...

    def opened(self, folder: Path) -> tantivy.Index:
        """The index in `folder`, created if it is missing. Raises ValueError if it has other fields."""
        ...

    def questions(self, searcher: tantivy.Searcher) -> Questions:
        """Cuts questions for this state of an index."""
        ...


def record(folder: Path, version: int) -> None:
    """Says in which form the lexical index in `folder` is, in one step."""
    unfinished = folder / f"{RECORD}.new"
    unfinished.write_text(json.dumps({"analysis": version}))
    unfinished.replace(folder / RECORD)


def version_of(folder: Path) -> int:
    """The version of the form of the lexical index in `folder`. Raises IndexStoreError if its record is damaged."""
    if not (folder / RECORD).exists():
        return 1
    try:
        return int(json.loads(small_file(folder / RECORD))["analysis"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise IndexStoreError(f"{folder / RECORD} is damaged") from error
