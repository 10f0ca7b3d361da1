"""Publishing: makes committed changes visible to readers in one step, and completes it after a crash."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index import provenance, sound_files
from ha_rag.index.checksums import is_text
from ha_rag.index.compaction import compact
from ha_rag.index.document import PassageText
from ha_rag.index.history import REMEMBERED_GENERATIONS, advance, highest, new_id
from ha_rag.index.lexical import ANALYSIS_VERSION, write_lexical
from ha_rag.index.schema import DEAD, FRESH, LIVE, meta, meta_number, set_meta, transaction
from ha_rag.index.words_files import check_files, passages_in
from ha_rag.index.words_form import version_of

_WORDS_FOLDER = re.compile(r"words-\d{1,18}")


def publish(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Adds the committed rows to the lexical index, then makes them visible in one transaction. Idempotent.

    `threads`: to build a vector graph with, if one is due.
    """
    before = meta(database, "lexical")
    generation_id = new_id()
    name = _write_lexical(folder, database)
    provenance.sign(folder / name, meta_number(database, "generation") + 1, generation_id)
    with transaction(database):
        _apply_states(database, generation_id)
        set_meta(database, "lexical", name)
        set_meta(database, "analysis", ANALYSIS_VERSION)
    if before not in (None, name) and is_words_folder(before):
        _discard(folder / str(before))
    compact(folder, database, threads)


def recover(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Completes a publication that a crash interrupted, and rebuilds a lost lexical index."""
    in_transit = database.execute("SELECT 1 FROM passages WHERE state <> ? LIMIT 1", (LIVE,)).fetchone()
    newest = database.execute("SELECT coalesce(max(id), 0) FROM vectors").fetchone()[0]
    if in_transit or newest > meta_number(database, "last_vector") or _lexical_is_lost(folder, database):
        publish(folder, database, threads)
    else:
        compact(folder, database, threads)


def _lexical_is_lost(folder: Path, database: sqlite3.Connection) -> bool:
    name = meta(database, "lexical")
    if name is None:
        return meta_number(database, "passages") > 0
    if not is_words_folder(name) or meta_number(database, "analysis") != ANALYSIS_VERSION:
        return True
    words = folder / str(name)
    try:
        check_files(words)
        if version_of(words) != ANALYSIS_VERSION:
            return True
        return not provenance.belongs(words, passages_in(words), database)
    except IndexStoreError:
        return True


def is_words_folder(name: object) -> bool:
    """Whether `name` can be the name of a lexical index in the index's folder."""
    return isinstance(name, str) and _WORDS_FOLDER.fullmatch(name) is not None


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    sound_files.shared.forget(folder)


def _write_lexical(folder: Path, database: sqlite3.Connection) -> str:
    name = meta(database, "lexical")
    if name is not None and not _lexical_is_lost(folder, database):
        dead = (row for (row,) in database.execute("SELECT row FROM passages WHERE state = ?", (DEAD,)))
        with suppress(
            IndexStoreError
        ):  # it is damaged in a way that only shows now; if the disk is full, so is it below
            write_lexical(folder / str(name), dead, _texts(database, FRESH, FRESH))
            return str(name)
    name = f"words-{meta_number(database, 'generation') + 1}"
    _discard(folder / name)
    write_lexical(folder / name, (), _texts(database, FRESH, LIVE))
    return name


def _texts(database: sqlite3.Connection, first: int, last: int) -> Iterator[PassageText]:
    query = "SELECT row, document, title, heading, text FROM passages WHERE state IN (?, ?) ORDER BY row"
    for row, *texts in database.execute(query, (first, last)):
        # A damaged passage counts, too: the number of passages is how a reader sees that none is missing.
        yield PassageText(row, *texts) if all(map(is_text, texts)) else PassageText(row, "", "", "", "")


def _apply_states(database: sqlite3.Connection, generation_id: str) -> None:
    """Makes FRESH passages LIVE, deletes DEAD ones and begins the next generation."""
    shown = meta_number(database, "last_row")
    generation = advance(database, generation_id)
    remember = "INSERT INTO gone SELECT ?, row FROM passages WHERE state = ? AND row <= ?"
    passages = meta_number(database, "passages") - database.execute(remember, (generation, DEAD, shown)).rowcount
    database.execute("DELETE FROM vectors WHERE passage IN (SELECT row FROM passages WHERE state = ?)", (DEAD,))
    database.execute("DELETE FROM passages WHERE state = ?", (DEAD,))
    passages += database.execute("UPDATE passages SET state = ? WHERE state = ?", (LIVE, FRESH)).rowcount
    set_meta(database, "passages", passages)
    set_meta(database, "documents", database.execute("SELECT count(*) FROM documents").fetchone()[0])
    set_meta(database, "last_row", highest(database, "passages"))
    set_meta(database, "last_vector", highest(database, "vectors"))
    _forget_old_deletions(database, generation)


def _forget_old_deletions(database: sqlite3.Connection, generation: int) -> None:
    # A graph keeps deleted passages until it is rebuilt, so their list must be kept as long as a graph exists.
    if database.execute("SELECT 1 FROM spaces WHERE graph IS NOT NULL").fetchone():
        return
    oldest = max(0, generation - REMEMBERED_GENERATIONS)
    database.execute("DELETE FROM gone WHERE generation <= ?", (oldest,))
    set_meta(database, "gone_since", oldest)
