"""Loads a generation of the index: checks what it reads, and leaves out and names what is damaged."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ha_rag.errors import IndexStoreError
from ha_rag.index import provenance
from ha_rag.index.checksums import checked_vectors, counted, passage_fault
from ha_rag.index.column import Column, Rows
from ha_rag.index.graph import Graph
from ha_rag.index.graph_files import open_graph
from ha_rag.index.history import id_of
from ha_rag.index.lexical import LexicalSearch
from ha_rag.index.passage_store import BATCH, PassageStore, StoredPassage
from ha_rag.index.private_copy import scratch_folder
from ha_rag.index.publishing import is_words_folder
from ha_rag.index.schema import DATABASE, meta, meta_number, with_checksums
from ha_rag.index.snapshot import IndexSnapshot
from ha_rag.index.stored_spaces import StoredSpace, read_spaces
from ha_rag.messages import Space

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often the lexical index is read if it does not fit the database: a writer may have changed it in between."""
FLOATS_WITHOUT_GRAPH = 64_000_000
"""Up to this many floats (256 MB) a column whose graph is damaged is compared one by one until it has a new one."""
NAMED = 20
"""How many damaged passages a load names in the log."""
MEND = "`ha-rag ingest` rebuilds it"


_PASSAGES = """
    SELECT row, document, number, title, heading, text, checksum FROM passages WHERE row > ? AND row <= ?
"""
# The plus keeps SQLite from using the index on space: new vectors are few and adjacent in the primary key.
_VECTORS = "SELECT id, passage, vector, checksum FROM vectors WHERE id > ? AND id <= ? AND +space = ?"


class _WordsChangedError(IndexStoreError):
    """The lexical index does not fit the database: it is damaged, or was changed in between."""


def load(folder: Path, connection: sqlite3.Connection, before: IndexSnapshot) -> IndexSnapshot:
    """The newest generation; what `before` holds is not read again if this one continues its history.

    Raises IndexStoreError, sqlite3.Error.
    """
    for attempt in range(1, ATTEMPTS + 1):
        connection.execute("BEGIN")
        try:
            return _Loading(folder, connection, before, last_attempt=attempt == ATTEMPTS).snapshot()
        except _WordsChangedError:
            continue
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _continues(connection: sqlite3.Connection, before: IndexSnapshot) -> bool:
    """Whether the database went on from what `before` has loaded, and still knows what was deleted since."""
    generation = meta_number(connection, "generation")
    if before.store is None or before.identity != meta(connection, "identity") or generation < before.generation:
        return False
    if before.generation < meta_number(connection, "gone_since"):
        return False
    return not before.history or id_of(connection, before.generation) == before.history


@dataclass(slots=True)
class _Loading:
    """One attempt, in one read transaction of `connection`."""

    folder: Path
    connection: sqlite3.Connection
    before: IndexSnapshot
    last_attempt: bool
    problems: list[str] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)

    def snapshot(self) -> IndexSnapshot:
        generation = meta_number(self.connection, "generation")
        if not _continues(self.connection, self.before):
            self.before = IndexSnapshot()
        elif self.before.generation == generation and not self.before.problems:
            return self.before
        elif self.before.problems:  # look again at everything
            self.before = IndexSnapshot()
        words = self._words()
        store = self._store()
        columns = dict(self._columns())
        if words is None and meta_number(self.connection, "passages"):
            words = self._rebuilt_words(store)
        self._name_damaged(store)
        return IndexSnapshot(
            identity=str(meta(self.connection, "identity")),
            generation=generation,
            history=id_of(self.connection, generation),
            last_row=meta_number(self.connection, "last_row"),
            last_vector=meta_number(self.connection, "last_vector"),
            passages=meta_number(self.connection, "passages"),
            documents=meta_number(self.connection, "documents"),
            store=store,
            lexical=words,
            columns={space: column for space, (column, _) in columns.items()},
            graphs={space: graph for space, (_, graph) in columns.items()},
            damaged=frozenset(self.damaged),
            problems=tuple(self.problems),
        )

    # ---- words ------------------------------------------------------------------------------------------------------

    def _words(self) -> LexicalSearch | None:
        """The lexical index in its folder; None if there is none that can be used."""
        name = meta(self.connection, "lexical")
        if name is None and not meta_number(self.connection, "passages"):
            return None
        try:
            return self._stored_words(name)
        except IndexStoreError as error:
            if not self.last_attempt:
                raise _WordsChangedError(str(error)) from error
            self.problems.append(f"{error}; this process has made one for itself; `ha-rag ingest` makes one for all")
            return None

    def _stored_words(self, name: object) -> LexicalSearch:
        if not is_words_folder(name):
            raise IndexStoreError(f"the index at {self.folder} has lost its lexical index")
        folder = self.folder / str(name)
        words = LexicalSearch.open(folder, self.before.lexical)
        if not provenance.belongs(folder, words.passages, self.connection):
            raise IndexStoreError(f"the lexical index at {folder} does not fit the database")
        return words

    def _rebuilt_words(self, store: PassageStore) -> LexicalSearch:
        scratch = scratch_folder(self.folder, self._database_bytes())
        return LexicalSearch.built(self.folder, scratch, store.texts())

    def _database_bytes(self) -> int:
        return (self.folder / DATABASE).stat().st_size

    # ---- passages ---------------------------------------------------------------------------------------------------

    def _store(self) -> PassageStore:
        """The passages: those of before, if there are any, with the changes since."""
        store = self.before.store
        if store is None:
            store = PassageStore(scratch_folder(self.folder, self._database_bytes()))
        else:
            store.remove(self._gone(self.before.generation).tolist())
        for batch in self._new_passages():
            store.add(batch)
        return store

    def _new_passages(self) -> Iterator[list[StoredPassage]]:
        query = with_checksums(self.connection, "passages", _PASSAGES)
        rows = self.connection.execute(query, (self.before.last_row, meta_number(self.connection, "last_row")))
        while found := rows.fetchmany(BATCH):
            sound: list[StoredPassage] = []
            for row, *fields, stored in found:
                fault = passage_fault(row, fields, stored)
                if fault:
                    self.damaged[row] = f"a passage of {_shown(fields[0])} {fault}"
                else:
                    sound.append((row, *fields))
            yield sound

    def _name_damaged(self, store: PassageStore) -> None:
        if self.damaged:
            # Whoever may ask for a replica's health need not know the names of documents.
            self.problems.append(
                f"{counted(len(self.damaged), 'passage')} of the index at {self.folder} left out as damaged; "
                "`ha-rag check` says which, `ha-rag ingest` rebuilds them"
            )
            for problem in list(self.damaged.values())[:NAMED]:
                log.warning("the index at %s: %s; it is left out until %s", self.folder, problem, MEND)
        missing = meta_number(self.connection, "passages") - len(store) - len(self.damaged)
        if missing:
            what = "missing from" if missing > 0 else "too many in"
            self.problems.append(
                f"{counted(abs(missing), 'passage')} {what} the index at {self.folder}; run `ha-rag ingest`"
            )

    # ---- vectors ----------------------------------------------------------------------------------------------------

    def _columns(self) -> Iterator[tuple[Space, tuple[Column, str | None]]]:
        spaces, damaged = read_spaces(self.connection)
        if damaged:
            self.problems.append(f"{counted(len(damaged), 'vector space')} left out as damaged; run `ha-rag ingest`")
        for stored in spaces:
            if (column := self._column(stored)) is not None:
                yield stored.space, column

    def _column(self, stored: StoredSpace) -> tuple[Column, str | None] | None:
        space, graph, since, generation = stored.space, stored.graph, self.before.last_vector, self.before.generation
        known = self.before.columns.get(space)
        if known is None or self.before.graphs.get(space) != stored.graph:
            try:
                opened, since = self._graph(stored)
            except IndexStoreError as error:
                self.problems.append(f"{error}; its vectors are not searched until {MEND}")
                return None
            known, graph, generation = Column.empty(space, opened), stored.graph if opened else None, -1
        query = with_checksums(self.connection, "vectors", _VECTORS)
        values = (since, meta_number(self.connection, "last_vector"), stored.key)
        checked = checked_vectors(self.connection.execute(query, values).fetchall(), stored.key, space.dimension)
        if checked.faulty:
            self.problems.append(
                f"{counted(len(checked.faulty), 'vector')} of {space} left out as damaged; run `ha-rag ingest`"
            )
        gone = np.union1d(self._gone(generation), np.fromiter(self.damaged, np.int64))
        return known.with_changes(checked.rows, checked.matrix, gone), graph

    def _graph(self, stored: StoredSpace) -> tuple[Graph | None, int]:
        """The graph of a column, and the newest vector in it. A damaged one is done without, if that is fast enough."""
        if stored.graph is None:
            return None, 0
        try:
            return open_graph(self.folder, stored.graph, stored.size, stored.dimension), stored.last
        except IndexStoreError as error:
            query = "SELECT count(*) FROM vectors WHERE space = ?"
            vectors = self.connection.execute(query, (stored.key,)).fetchone()[0]
            if vectors * stored.dimension > FLOATS_WITHOUT_GRAPH:
                raise
            self.problems.append(f"{error}; its vectors are compared one by one until {MEND}")
            return None, 0

    def _gone(self, after: int) -> Rows:
        found = self.connection.execute("SELECT passage FROM gone WHERE generation > ?", (after,)).fetchall()
        return np.fromiter((row for (row,) in found if isinstance(row, int)), np.int64)


def _shown(document: object) -> str:
    return ascii(document)[:80]
