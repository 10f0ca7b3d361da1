"""KeyDecoder: the bytes that a terminal sends, as names of keys. Incomplete sequences are kept for the next bytes."""

from __future__ import annotations

import codecs
import re

_NAMES = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x15": "clear", "\x1b": "escape"}
_ARROWS = {"A": "up", "B": "down"}
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[@-~])")
_BEGINNING = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|O)?\Z")


class KeyDecoder:
    """Decodes the input of one terminal. Used by one thread."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._kept = ""

    @property
    def awaits_more(self) -> bool:
        """Whether the last bytes may be the beginning of a sequence, or the escape key."""
        return bool(self._kept)

    def fed(self, content: bytes) -> list[str]:
        """The keys in `content`: characters, or "up", "down", "enter", "escape", "backspace", "clear".

        Empty `content`: nothing followed for a moment, so that a kept escape was the key of that name.
        """
        text = self._kept + self._decoder.decode(content)
        self._kept = ""
        found: list[str] = []
        while text:
            sequence = _SEQUENCE.match(text)
            if sequence:
                found += [_ARROWS[text[sequence.end() - 1]]] if _is_arrow(sequence.group()) else []
                text = text[sequence.end() :]
            elif content and _BEGINNING.match(text):
                self._kept, text = text, ""
            else:
                found.append(_NAMES.get(text[0], text[0]))
                text = text[1:]
        return [key for key in found if len(key) > 1 or key.isprintable()]


def _is_arrow(sequence: str) -> bool:
    return sequence in ("\x1b[A", "\x1b[B", "\x1bOA", "\x1bOB")
