"""What the other files of a folder say about the encoding of one that several encodings fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ha_rag.index.reading.guessing import guess
from ha_rag.index.reading.kinds import form_of

_TEXTUAL = frozenset(
    {"text", "markdown", "html", "delimited", "asciidoc", "org", "restructured", "json", "xml", "jsonl"}
)
MOST_FILES, MOST_BYTES = 50, 65_536


class Neighbours:
    """Remembers which characters the files of a folder use. For one thread at a time."""

    def __init__(self) -> None:
        self._characters: dict[Path, frozenset[str]] = {}

    def likely(self, file: Path, root: Path, data: bytes, encodings: Sequence[str]) -> str:
        """That of `encodings` which yields the characters of the nearest files, up to the folder `root`.

        "" if they do not tell.
        """
        for folder in [file.parent, *file.parent.parents]:
            scores = {encoding: self._familiar(folder, data, encoding) for encoding in encodings}
            best = max(scores, key=lambda encoding: scores[encoding])
            if scores[best] > 0 and list(scores.values()).count(scores[best]) == 1:
                return best
            if folder == root:
                break
        return ""

    def _familiar(self, folder: Path, data: bytes, encoding: str) -> float:
        """The share of the text's characters beyond ASCII that the folder's files use."""
        if folder not in self._characters:
            self._characters[folder] = frozenset().union(*map(_characters_of, islice(_files(folder), MOST_FILES)))
        found = [_kind(character) for character in data.decode(encoding, errors="replace") if character > "\x7f"]
        return sum(kind in self._characters[folder] for kind in found) / max(1, len(found))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if form_of(path.name) in _TEXTUAL and path.is_file())
    except OSError:
        return []


def _characters_of(file: Path) -> set[str]:
    """The kinds of characters beyond ASCII in a file whose encoding is beyond doubt."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES)
    except OSError:
        return set()
    # The last character may be cut.
    text = data[: data.rfind(b"\n") + 1 or None].decode("utf-8", errors="replace")
    if "\ufffd" in text or b"\0" in data:
        found = guess(data) if b"\0" not in data else None
        text = data.decode(found.encoding, errors="replace") if found and not found.rivals else ""
    return {_kind(character) for character in set(text) if character > "\x7f"}


def _kind(character: str) -> str:
    """The character, or its script if the script has thousands of characters."""
    script = unicodedata.name(character, "?").split()[0]
    return script if script in {"CJK", "HANGUL", "HIRAGANA", "KATAKANA"} else character
