"""Survey: which files are at the paths of an ingest, and what may be said of a file that is not among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.walking import FoundFile, FoundPlace, PassedOver, Unreached, resolved, walk


@dataclass(frozen=True, slots=True)
class Gone:
    """A file that is certainly no longer there."""


class Survey:
    """Walks `paths` once. Afterwards safe to read from any thread.

    `files`: what to read, each once. `unreached`: paths that could not be looked at. `passed_over`: files that are not
    read, and what is left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.passed_over: list[PassedOver] = []
        self.unreached: list[Unreached] = []
        self._files: dict[Path, FoundFile] = {}
        self._places: dict[Path, FoundPlace] = {}
        self._not_seen: dict[Path, Unreached] = {}
        self._kinds: dict[Path, PassedOver] = {}
        self._left_out: dict[Path, PassedOver] = {}
        for path in paths:
            self._walk(path)

    @property
    def files(self) -> list[FoundFile]:
        """The files to read."""
        return list(self._files.values())

    @property
    def errors(self) -> list[UnreadableDocumentError]:
        """Why some paths could not be looked at."""
        return [one.error for one in self.unreached]

    def _walk(self, root: Path) -> None:
        places: list[FoundPlace] = []
        anything = False
        for found in walk(root):
            anything = anything or isinstance(found, FoundFile | Unreached)
            if isinstance(found, FoundFile):
                self._files.setdefault(found.path.resolve(), found)
            elif isinstance(found, Unreached):
                self.unreached.append(found)
                if not (places and places[-1].state == "absent"):  # that it is not there has been seen
                    self._not_seen[resolved(found.path)] = found
            elif isinstance(found, PassedOver):
                self._pass_over(found)
            else:
                places.append(found)
        if places and not anything:
            places[0] = FoundPlace(places[0].path, "absent" if places[0].state == "absent" else "empty", given=True)
        self._places.update({place.path: place for place in places})

    def _pass_over(self, found: PassedOver) -> None:
        self.passed_over.append(found)
        if found.path is not None:
            group = self._kinds if found.reason == "kind" else self._left_out
            # Not where a link leads: that file may well be read under its own name.
            group[resolved(found.path.parent) / found.path.name] = found

    def other_kind(self, file: Path) -> PassedOver | None:
        """Where `file` was found, but is of a kind that is not read."""
        return self._kinds.get(file)

    def verdict(self, file: Path) -> PassedOver | Unreached | FoundPlace | Gone | None:
        """What is known of a file that was not read.

        None: it is elsewhere. Unreached: what is there could not be looked at. PassedOver: it is left out. FoundPlace:
        the place where it was has nothing left, and may be a disk that is not mounted. Gone: it is not there.
        """
        above = (file, *file.parents)
        if not any(path in self._places or path in self._not_seen for path in above):
            return None
        for known in (self._not_seen, self._left_out):
            for path in above:
                if (found := known.get(path)) is not None:
                    return found
        for path in above:
            place = self._places.get(path)
            if place is not None and place.state != "held" and not _is_missing_alone(file, place):
                return place
        return Gone()


def _is_missing_alone(file: Path, place: FoundPlace) -> bool:
    """Whether a single file was asked for that is not in its folder any more, while others are."""
    try:
        return place.path == file and place.state == "absent" and any(file.parent.iterdir())
    except OSError:
        return False
