"""What an ingest did, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
from ha_rag.messages import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceReport:
    """One space after an ingest. `filled`: vectors made now. `missing`: passages still without one. `why`: if so."""

    embedder: str
    space: Space
    filled: int
    missing: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an ingest did. Counts are of documents, except `passages`: passages written.

    `removed`: those that a mirroring ingest took out, since their files are gone.

    `renamed`: (the id a document would have had, the id it got), where another document had it already.
    `unreadable`: one error for each document, line or folder that could not be read; all others were kept.
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
    """How far an ingest is. `stage`: "reading" counts files; "filling" counts passages that lacked a vector.

    `name`: the file, or the embedder, at work.
    """

    stage: Literal["reading", "filling"]
    done: int
    total: int
    name: str = ""


Progress = Callable[[IngestStep], None]
