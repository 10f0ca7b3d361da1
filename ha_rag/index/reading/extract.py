"""What a reader gets and what it returns: the bytes of a file, and the text in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """A file to read. `name`: for errors. `assumed_encoding`: of text that could be in several encodings."""

    name: str
    data: bytes
    assumed_encoding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """The text of a file.

    `markdown`: whether `text` is Markdown. `notices`: what the user should know of text that was read all the same,
    such as a replaced byte. `unread`: (part, reason) of each part that could not be read, such as a page. `guessed`:
    the encodings that fit about equally well, if there are several; the first one was used.
    """

    text: str
    title: str = ""
    markdown: bool = True
    metadata: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    guessed: tuple[str, ...] = ()


FileReader = Callable[[RawFile], Extract]
"""Raises UnreadableDocumentError if nothing of the file can be read."""
