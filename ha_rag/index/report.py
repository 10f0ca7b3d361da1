"""Progress and result of an ingest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """The result of an ingest. Counts are of documents, except `passages`: the passages written.

    `removed`: documents deleted by `mirror` because their files are gone. `renamed`: (expected id, given id) of each
    document whose id another document already had. `unreadable`: one error for each document, line or folder that could
    not be read; all others were indexed.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[UnreadableDocumentError, ...] = ()
    spaces: tuple[SpaceReport, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything was read and every passage has a vector in every space."""
        return not self.unreadable and not any(space.missing for space in self.spaces)


@dataclass(frozen=True, slots=True)
class IngestStep:
    """Progress of an ingest. `stage`: "reading" counts files, "filling" counts passages that had no vector.

    `name`: the current file or embedder.
    """

    stage: Literal["reading", "filling"]
    done: int
    total: int
    name: str = ""


Progress = Callable[[IngestStep], None]
