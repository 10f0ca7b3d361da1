"""Warned: a warning about a configuration, with what it is about and how to mend it."""

from __future__ import annotations


class Warned(str):
    """The warning's text. `part`: what it is about; `mend`: how to mend it. Immutable."""

    __slots__ = ("mend", "part")

    def __new__(cls, text: str, *, part: str = "configuration", mend: str = "") -> Warned:
        made = super().__new__(cls, text)
        made.part, made.mend = part, mend
        return made

    part: str
    mend: str
