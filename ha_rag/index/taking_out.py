"""Takes documents out of the index whose files no longer hold them.

A document read from a file stays only as long as the file holds it. A file that was looked at settles this for its
documents, in every ingest: what could not be read from it is taken out. An ingest that mirrors also takes out the
documents of files that are not at its paths any more. Trouble of the machine, such as an I/O error, takes out nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.reading.walking import FoundPlace, PassedOver, Unreached, named
from ha_rag.index.report import Kept, TakenOut
from ha_rag.index.sources import file_of, is_gone
from ha_rag.index.survey import Survey
from ha_rag.index.writer import IndexWriter

GONE = "its file is gone"
FULL = 10
"""An empty folder below the given ones is doubted only if it held so many documents. Most are no places of a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What an ingest has seen. `seen`: the sources of the documents that were read.

    `settled`: file -> why not all of it could be read, or "". `troubled`: file -> the machine's trouble with it.
    """

    survey: Survey
    seen: frozenset[str]
    settled: Mapping[Path, str]
    troubled: Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class TakingOut:
    """What is to be taken out, and what stays although it was not read. `explained`: paths that this says enough of."""

    taken_out: tuple[TakenOut, ...]
    kept: tuple[Kept, ...]
    explained: frozenset[Path]


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of one document. `place`: the file, or the folder above it that decides."""

    kind: Literal["out", "gone", "held", "doubted"]
    why: str
    place: Path
    given: bool = True


def decide(documents: Sequence[IndexedDocument], looked: Looked, *, mirror: bool, even_if_empty: bool) -> TakingOut:
    """What becomes of the indexed documents that were not read."""
    fates: dict[_Fate, list[str]] = {}
    for known in documents:
        file = None if known.source in looked.seen else file_of(known.source)
        if file is not None and (fate := _fate(file, looked, mirror=mirror)) is not None:
            fates.setdefault(fate, []).append(known.id)
    taken: list[TakenOut] = []
    kept: list[Kept] = []
    for fate, names in fates.items():
        doubted = fate.kind == "doubted" and not even_if_empty and (fate.given or len(names) >= FULL)
        if doubted or fate.kind == "held":
            kept.append(Kept(named(fate.place), tuple(names), fate.why, empty=doubted))
        elif fate.kind == "doubted":
            taken += [TakenOut(name, GONE, gone=True) for name in names]
        else:
            taken += [TakenOut(name, fate.why, gone=fate.kind == "gone") for name in names]
    missing = frozenset(fate.place for fate in fates if fate.kind in ("gone", "doubted"))
    return TakingOut(tuple(taken), tuple(kept), missing)


def _fate(file: Path, looked: Looked, *, mirror: bool) -> _Fate | None:
    """What becomes of the documents of `file` that were not read; None: they stay, and nothing needs to be said."""
    if (trouble := looked.troubled.get(file)) is not None:
        return _Fate("held", trouble, file)
    if (why := looked.settled.get(file)) is not None:
        return _Fate("out", why or "its file no longer holds it", file)
    if (other := looked.survey.other_kind(file)) is not None:
        return _Fate("out", f"its file is now of a kind that is not read ({other.kind})", file)
    found = looked.survey.verdict(file) if mirror else None
    if isinstance(found, Unreached):
        return _Fate("held", found.error.why, found.path)
    if isinstance(found, FoundPlace):
        why = "is not there" if found.state == "absent" else "holds nothing to read"
        return _Fate("doubted", why, found.path, found.given)
    if isinstance(found, PassedOver):
        return _Fate("gone", f"its file is left out now ({found.kind})", file)
    return None if found is None else _Fate("gone", GONE, file)


def take_out(writer: IndexWriter, names: Sequence[str]) -> None:
    """Deletes these documents in one step."""
    for name in names:
        writer.delete(name)
    writer.commit()


def take_out_confirmed(writer: IndexWriter, kept: Kept) -> tuple[TakenOut, ...]:
    """Deletes the documents of a place that was in doubt, except those whose files have come back since."""
    known = [writer.document(name) for name in kept.documents]
    gone = [one.id for one in known if one is not None and is_gone(one.source)]
    take_out(writer, gone)
    return tuple(TakenOut(name, GONE, gone=True) for name in gone)
