"""What an upgrade makes an ingest do again: what an earlier version read is read, split and embedded anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from ha_rag.index.history import highest
from ha_rag.index.reading.files import READING_VERSION
from ha_rag.index.schema import DEAD, meta, meta_number, set_meta, transaction
from ha_rag.index.splitting import SPLITTING_VERSION
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space

MADE_BY = f"{READING_VERSION}.{SPLITTING_VERSION}"
_EARLIER = "made_by_earlier"
"""Key of the last row that an earlier version may have written. Rows are numbered in the order of time."""
_OUTDATED = """
    SELECT documents.source, count(*) FROM passages
    JOIN vectors ON vectors.passage = passages.row JOIN spaces ON spaces.id = vectors.space
    JOIN documents ON documents.id = passages.document
    WHERE passages.row <= ? AND passages.state <> ? AND model = ? AND revision = ? AND dimension = ?
    GROUP BY documents.source
"""


def services(embedders: Mapping[str, Embedder]) -> dict[str, Space]:
    """The embedders that call a service, which may cost money, and their spaces."""
    return {name: one.space for name, one in embedders.items() if not getattr(one, "in_process", False)}


def note_version(database: sqlite3.Connection, unsigned: Sequence[int]) -> None:
    """Remembers which rows an earlier version wrote. `unsigned`: those of version 0.1.0, which have no checksum."""
    made_by = meta(database, "made_by")
    earlier = max([meta_number(database, _EARLIER), *unsigned])
    if made_by not in (None, MADE_BY):
        earlier = highest(database, "passages")
    if (made_by, earlier) != (MADE_BY, meta_number(database, _EARLIER)):
        with transaction(database):
            set_meta(database, "made_by", MADE_BY)
            set_meta(database, _EARLIER, earlier)


def count_outdated(database: sqlite3.Connection, space: Space, paths: Sequence[Path]) -> int:
    """How many passages of an earlier version, of files at or below `paths`, have a vector in `space`."""
    values = (meta_number(database, _EARLIER), DEAD, space.model, space.revision, space.dimension)
    within = [str(path.resolve()) for path in paths]
    return sum(
        count
        for source, count in database.execute(_OUTDATED, values)
        if isinstance(source, str)
        and any(source.startswith((f"{path}/", f"{path}#")) or source == path for path in within)
    )
