"""Progress and result of an ingest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.files import ReadingNotice
from ha_rag.index.reading.walking import PassedOver
from ha_rag.messages import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceReport:
    """One space after an ingest.

    `filled`: vectors made by this ingest. `missing`: passages without a vector. `why`: the reason if any are missing.
    """

    embedder: str
    space: Space
    filled: int
    missing: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A document that is no longer answered from. `why`: as a sentence. `gone`: its file is not among the paths."""

    document: str
    why: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """Documents that stay although nothing was read from their files. `place`: the file, or a folder above them.

    `empty`: the place has nothing left, so they may be gone, or their disk may not be mounted.
    """

    place: str
    documents: tuple[str, ...]
    why: str
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """The result of an ingest. Counts are of documents, except `passages`: the passages written.

    `taken_out`: documents whose files no longer hold them. `kept`: documents that may be out of date. `samples`: how
    many sample documents were indexed or found unchanged. `samples_out`: how many made room for the first document of
    the user. `renamed`: (expected id, given id) of each document whose id another document already had. `unreadable`:
    one error for each document, page, line or folder that could not be read; all others were indexed. `mended`:
    documents that were damaged in the index and have been read again. `damaged`: ids of those whose source was not
    among what was read. `notices`: what is to be said of documents that were read. `passed_over`: files of kinds that
    are not read, and what is left out of folders.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    taken_out: tuple[TakenOut, ...] = ()
    kept: tuple[Kept, ...] = ()
    samples: int = 0
    samples_out: int = 0
    passages: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[UnreadableDocumentError, ...] = ()
    mended: int = 0
    damaged: tuple[str, ...] = ()
    spaces: tuple[SpaceReport, ...] = ()
    notices: tuple[ReadingNotice, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()

    @property
    def removed(self) -> int:
        """How many documents `mirror` deleted because their files are gone."""
        return sum(one.gone for one in self.taken_out)

    @property
    def complete(self) -> bool:
        """Whether everything was read, nothing is damaged, and every passage has a vector in every space."""
        return not self.failed and not any(space.missing for space in self.spaces)

    @property
    def failed(self) -> bool:
        """Whether something that should have been read was not, or may be out of date."""
        return bool(self.unreadable or self.damaged or self.kept)


@dataclass(frozen=True, slots=True)
class IngestStep:
    """Progress of an ingest. `stage`: "reading" counts files, "filling" counts passages that had no vector.

    `name`: the current file or embedder.
    """

    stage: Literal["reading", "filling"]
    done: int
    total: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reembedding:
    """What an upgrade costs: passages that the service `embedder` has embedded before and is about to embed again.

    `passages`: at most; those of files that are gone are not.
    """

    embedder: str
    passages: int

    def __str__(self) -> str:
        passages = "passage" if self.passages == 1 else "passages"
        return (
            f"this version reads and splits documents in another way than the one that indexed them: up to "
            f"{self.passages:,} {passages} are embedded again by embedder {self.embedder}"
        )


Announce = Callable[[Reembedding], None]
Progress = Callable[[IngestStep], None]
