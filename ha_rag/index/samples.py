"""Sample documents: in an index that never held anything else, so that the first question finds something.

The first document of the user takes their place, and they never come back.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from ha_rag.index.checksums import is_text
from ha_rag.index.schema import meta, set_meta
from ha_rag.index.sources import SAMPLE, is_sample

_OF_CHECKOUT = "/docs/"
_WITHOUT_TIME = """
    SELECT id, source FROM documents WHERE source LIKE '/%/docs/%.md' AND NOT EXISTS (
        SELECT 1 FROM times WHERE document = id AND times.digest = documents.digest)"""
_KEY, _OVER = "samples", "over"


def mark_those_of_0_1_0(database: sqlite3.Connection) -> None:
    """Gives the samples that 0.1.0 took from a checkout the source of samples, so that they make room like others.

    They are documents without a time, which 0.1.0 did not note, from the docs/ of a checkout of this project.
    """
    if are_over(database):
        return
    for name, source in database.execute(_WITHOUT_TIME).fetchall():
        is_named_so = is_text(name) and is_text(source) and source.endswith(_OF_CHECKOUT + name)
        if is_named_so and _is_checkout(source.removesuffix(_OF_CHECKOUT + name)):
            database.execute("UPDATE documents SET source = ? WHERE id = ?", (SAMPLE + name, name))


@cache
def _is_checkout(folder: str) -> bool:
    return (Path(folder) / "ha_rag" / "local_fleet" / "samples.py").is_file()


def are_wanted(database: sqlite3.Connection) -> bool:
    """Whether the index holds nothing but samples, and never did since they were introduced."""
    if are_over(database):
        return False
    return all(is_sample(source) for (source,) in database.execute("SELECT source FROM documents"))


def are_over(database: sqlite3.Connection) -> bool:
    """Whether the user has changed the index, so that no samples are in it or will come."""
    return meta(database, _KEY) == _OVER


def come_no_more(database: sqlite3.Connection) -> None:
    """Notes that the user has changed the index. In the current transaction."""
    if not are_over(database):
        set_meta(database, _KEY, _OVER)


def to_end(database: sqlite3.Connection, kept: frozenset[str] = frozenset()) -> list[str]:
    """The ids of the samples, except for those with the ids `kept`. None are looked for if none can be there."""
    if not kept and are_over(database):
        return []
    found = database.execute("SELECT id, source FROM documents").fetchall()
    return [name for name, source in found if is_sample(source) and name not in kept]
