"""The documents that are searched: those of the index if the data set is about them, else an index of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets import Dataset, DatasetDocument
from ha_rag.evaluation.measures import plain
from ha_rag.index.schema import DATABASE, LIVE, open_for_reading, translated
from ha_rag.private_folder import make_private_folder

COMPARED = 50
"""Documents of a data set whose texts are compared with those in the index."""
ALIKE = 0.5
"""The share of a document's text that must be in the index for it to be the same document."""
SHINGLE = 5
"""Letters in a row that are compared: words would not do for languages without spaces."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Searched:
    """`folder`: of the index that is searched. `own`: whether it is the configured one. `why`: if not, why not."""

    folder: Path
    own: bool
    why: str = ""


def searched_by(dataset: Dataset, folder: Path) -> Searched:
    """Which index a data set is measured with. `folder`: the configured index.

    Raises ConfigurationError if the data set brings no documents and the index lacks some, and IndexStoreError.
    """
    why = _not_about(dataset, folder)
    if not why:
        return Searched(folder, own=True)
    if dataset.documents is None:
        raise ConfigurationError(f"{dataset.name}: {why}; ingest them first, or correct the ids")
    return Searched(work_folder(folder) / f"corpus-{dataset.digest.partition('-')[0]}", own=False, why=why)


def work_folder(folder: Path) -> Path:
    """Where runs that are not complete keep their files. `folder`: the configured index."""
    return folder / "evaluation"


def _not_about(dataset: Dataset, folder: Path) -> str:
    """Why the index is not about the data set's documents; "" if it is."""
    if not (folder / DATABASE).exists():
        return f"there is no index at {folder}"
    with translated(folder), closing(open_for_reading(folder)) as connection:
        held = {name for (name,) in connection.execute("SELECT id FROM documents")}
        if missing := sorted(dataset.judged - held):
            named = ", ".join(map(repr, missing[:SHOWN])) + (" ..." if len(missing) > SHOWN else "")
            return (
                f"{len(missing):,} of the {len(dataset.judged):,} documents that the questions are judged by are not "
                f"in the index at {folder} ({named})"
            )
        if dataset.documents is None:
            return ""
        query = "SELECT text FROM passages WHERE document = ? AND state = ?"
        for name in sorted(dataset.judged)[:COMPARED]:
            texts = " ".join(text for (text,) in connection.execute(query, (name, LIVE)))
            if not _alike(dataset.documents[name], texts):
                return f"the document {name!r} of the index at {folder} has another text"
    return ""


def _alike(document: DatasetDocument, indexed: str) -> bool:
    wanted = _shingles(f"{document.title} {document.text}")
    return len(wanted & _shingles(f"{document.title} {indexed}")) >= ALIKE * len(wanted)


def _shingles(text: str) -> set[str]:
    letters = plain(text).replace(" ", "")
    return {letters[start : start + SHINGLE] for start in range(max(1, len(letters) - SHINGLE + 1))}


@contextmanager
def documents_file(dataset: Dataset, searched: Searched) -> Iterator[Path]:
    """The data set's documents in a file that `ingest` reads, for as long as the block lasts."""
    file = searched.folder / "documents.jsonl"
    try:
        make_private_folder(searched.folder)
        with file.open("w", encoding="utf-8") as opened:
            for document in (dataset.documents or {}).values():
                fields = {"_id": document.id, "title": document.title, "text": document.text}
                opened.write(json.dumps(fields, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written ({reason(error)})") from None
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def clean_up(searched: Searched) -> None:
    """Deletes an index that was made for this run alone."""
    if not searched.own:
        shutil.rmtree(searched.folder, ignore_errors=True)
