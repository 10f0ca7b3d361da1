"""Examines every row of the database, and names what is damaged. Changes nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index import provenance
from ha_rag.index.checksums import checked_vectors, counted, is_text, passage_fault
from ha_rag.index.graph_files import check_graph
from ha_rag.index.schema import (
    DEAD,
    FRESH,
    LIVE,
    damaged,
    meta,
    meta_number,
    open_for_reading,
    translated,
    with_checksums,
)
from ha_rag.index.stored_spaces import StoredSpace, read_spaces
from ha_rag.index.words_files import check_files, passages_in

BATCH = 5_000
DAMAGED = "damaged"
"""The digest of a document that has to be read again, which no content has."""

_DOCUMENTS = "SELECT CAST(id AS BLOB), id, title, source, digest, metadata FROM documents"
_PASSAGES = "SELECT row, state, document, number, title, heading, text, checksum FROM passages"
_VECTORS = "SELECT id, passage, vector, checksum FROM vectors WHERE space = ?"


@dataclass(slots=True)
class Damage:
    """What is damaged in a database, and what has no checksum yet.

    `passages`: row -> what is wrong with it. `documents`: ids of those with a damaged or missing passage. `unnamed`:
    bytes of the ids of documents whose row makes no sense. `orphans`: rows of passages of no document. `states`: rows
    in no known state. `vectors`: ids. `graphs`: keys of spaces with such a vector in their graph. `spaces`: keys of
    senseless ones. `unsigned_passages`, `unsigned_vectors`: sound ones without a checksum. `rows`: number of passages.
    """

    passages: dict[int, str] = field(default_factory=dict)
    documents: set[str] = field(default_factory=set)
    unnamed: list[bytes] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    vectors: list[int] = field(default_factory=list)
    graphs: set[int] = field(default_factory=set)
    spaces: list[int] = field(default_factory=list)
    unsigned_passages: list[int] = field(default_factory=list)
    unsigned_vectors: list[int] = field(default_factory=list)
    rows: int = 0

    def sentences(self) -> Iterator[str]:
        """What is damaged, one sentence each."""
        yield from list(self.passages.values())[:3]
        if len(self.passages) > 3:
            yield f"damaged beside these: {counted(len(self.passages) - 3, 'passage')}"
        incomplete = len(self.documents) + len(self.unnamed)
        if incomplete and not self.passages:
            yield f"damaged, or without some of their passages: {counted(incomplete, 'document')}"
        if self.orphans or self.states:
            found = counted(len(self.orphans) + len(self.states), "passage")
            yield f"of no document, or in no known state: {found}"
        if self.vectors:
            yield f"damaged: {counted(len(self.vectors), 'vector')}"
        if self.spaces:
            yield f"damaged: {counted(len(self.spaces), 'vector space')}"


def examine(folder: Path, database: sqlite3.Connection) -> Damage:
    """Reads everything once. Raises IndexStoreError if the database itself is damaged."""
    with translated(folder):
        found = [str(line) for (line,) in database.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise damaged(folder, "; ".join(found)[:200])
        damage = Damage()
        documents = set(_documents(database, damage))
        _passages(database, damage, documents)
        spaces, damage.spaces = read_spaces(database)
        for stored in spaces:
            _vectors(database, damage, stored)
    return damage


def _documents(database: sqlite3.Connection, damage: Damage) -> Iterator[str]:
    for stored_id, *texts in database.execute(_DOCUMENTS):
        if all(map(is_text, texts)):
            yield texts[0]
        else:
            damage.unnamed.append(stored_id)


def _passages(database: sqlite3.Connection, damage: Damage, documents: set[str]) -> None:
    counted, last = Counter[str](), dict[str, int]()
    for row, state, *fields, checksum in database.execute(with_checksums(database, "passages", _PASSAGES)):
        document, number = fields[0], fields[1]
        damage.rows += 1
        if state not in (FRESH, LIVE, DEAD):
            damage.states.append(row)
        fault = passage_fault(row, fields, checksum)
        if fault:
            damage.passages[row] = f"a passage of {ascii(document)[:80]} {fault}"
        elif checksum is None:
            damage.unsigned_passages.append(row)
        if not is_text(document) or document not in documents:
            damage.orphans.append(row)
        elif fault or not isinstance(number, int):
            damage.documents.add(document)
        elif state != DEAD:
            counted[document] += 1
            last[document] = max(number, last.get(document, 0))
    damage.documents |= {name for name in documents if counted[name] != last.get(name, -1) + 1 or not counted[name]}


def _vectors(database: sqlite3.Connection, damage: Damage, stored: StoredSpace) -> None:
    cursor = database.execute(with_checksums(database, "vectors", _VECTORS), (stored.key,))
    while found := cursor.fetchmany(BATCH):
        faulty = [vector for vector, _ in checked_vectors(found, stored.key, stored.dimension).faulty]
        damage.vectors += faulty
        damage.unsigned_vectors += [vector for vector, _, _, checksum in found if checksum is None]
        if stored.graph is not None and any(vector <= stored.last for vector in faulty):
            damage.graphs.add(stored.key)


def examine_folder(folder: Path) -> list[str]:
    """What is damaged in the index in `folder`, one sentence each: in its database, its words and its graphs."""
    try:
        connection = open_for_reading(folder)
    except IndexStoreError as error:
        return [str(error)]
    sentences: list[str] = []
    try:
        with translated(folder):
            sentences += examine(folder, connection).sentences()
            sentences += _damaged_files(folder, connection)
    except IndexStoreError as error:
        sentences.append(str(error))
    finally:
        connection.close()
    return sentences


def _damaged_files(folder: Path, connection: sqlite3.Connection) -> Iterator[str]:
    words = meta(connection, "lexical")
    if words is not None or meta_number(connection, "passages"):
        try:
            check_files(folder / str(words))
            if not provenance.belongs(folder / str(words), passages_in(folder / str(words)), connection):
                yield f"the lexical index at {folder / str(words)} does not fit the database"
        except IndexStoreError as error:
            yield str(error)
    for stored in read_spaces(connection)[0]:
        if stored.graph is not None:
            try:
                check_graph(folder / stored.graph, stored.size)
            except IndexStoreError as error:
                yield str(error)
            except OSError as error:
                yield f"the vector graph {folder / stored.graph} cannot be read: {error.strerror}"
