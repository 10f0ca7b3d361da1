"""Lines of a data set's files: read, checked, and named by file and number where something is wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError

MOST_PROBLEMS = 20
MOST_BYTES = 2_000_000_000


@dataclass(slots=True)
class Problems:
    """What is wrong with a data set, with file and line."""

    sentences: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, place: str, what: str) -> None:
        """Notes a problem; those after the first twenty are only counted."""
        self.count += 1
        if len(self.sentences) < MOST_PROBLEMS:
            self.sentences.append(f"{place}: {what}")

    def raise_any(self) -> None:
        """Raises ConfigurationError with all of them, if there are any."""
        if more := self.count - len(self.sentences):
            self.sentences.append(f"and {more:,} more problems; is this the right data set?")
        if self.sentences:
            raise ConfigurationError(*self.sentences)


def text_of(file: Path) -> str:
    """The text of a file. Raises ConfigurationError if it is missing, too large or not UTF-8."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"{file}: is larger than {MOST_BYTES:,} bytes; take a part of the data set")
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: no such file") from None
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({reason(error)})") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{file}, line {line}: is not UTF-8 text") from None


def objects(file: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of each line of a JSON Lines file; a line that is none becomes a problem. Empty lines pass."""
    for number, line in enumerate(text_of(file).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.add(place, f"not JSON ({error})")
            continue
        if isinstance(value, dict):
            yield place, value
        else:
            problems.add(place, "not a JSON object")


def identity(fields: dict[str, Any], place: str, problems: Problems) -> str | None:
    """The `_id` (or `id`) of an object, as a string; None, and a problem, without one."""
    found = fields.get("_id", fields.get("id"))
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        problems.add(place, 'has no "_id"')
        return None
    return str(found)


def words_of(fields: dict[str, Any], key: str, place: str, problems: Problems) -> str | None:
    """A string that is not empty; None, and a problem, if it is not one."""
    found = fields.get(key)
    if not isinstance(found, str) or not found.strip():
        problems.add(place, f'"{key}" must be a string that is not empty')
        return None
    return found.strip()


def digest_of(*files: Path) -> str:
    """Changes when the content of one of these files does."""
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(text_of(file).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()[:16]
