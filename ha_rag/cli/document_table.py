"""Documents as text: a table that fits the terminal, and one document with its passages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ha_rag.cli.screen import shown_width, styled, table

if TYPE_CHECKING:
    from ha_rag.index.listed import DocumentDetails, ListedDocument, ListedPassage

WIDE = 100
"""From this many columns on, titles, vectors and sources are shown, too."""
SHOWN_REASONS = 10
_STYLES = {"searchable": "green", "waiting": "yellow", "indexing": "yellow", "damaged": "bold red"}

Column = tuple[str, "Callable[[ListedDocument], Any]", int]


def document_table(documents: Sequence[ListedDocument], width: int | None = None) -> Any:
    """The documents as a table. `width`: in columns (default: the terminal's)."""
    room = shown_width() if width is None else width
    columns = [column for column in _COLUMNS if room >= column[2]]
    made = table(*(name for name, _, _ in columns))
    for column in made.columns:
        column.no_wrap = column.header not in ("document", "title", "vectors", "source")
    for listed in documents:
        made.add_row(*(cell(listed) for _, cell, _ in columns))
    return made


def reasons(documents: Sequence[ListedDocument]) -> list[str]:
    """Why documents are not searchable, or not in every way: of the first ones, and how many more there are."""
    told = [f"{listed.id}: {listed.reason}" for listed in documents if listed.reason]
    more = len(told) - SHOWN_REASONS
    return told if more <= 0 else [*told[:SHOWN_REASONS], f"and {more} more; --json has all"]


def document_facts(details: DocumentDetails) -> Any:
    """What is known of one document, one fact per line."""
    made = table("", "")
    made.show_header = False
    for name, value in _facts(details):
        if value not in (None, ""):
            made.add_row(styled(name, "dim"), styled(value))
    return made


def passage_lines(passage: ListedPassage) -> Iterator[Any]:
    """A passage: its id and headings, then its text."""
    above = " > ".join(filter(None, (passage.title, passage.heading)))
    yield styled(f"{passage.id}  {above}".rstrip(), "bold")
    yield styled(passage.problem, "bold red") if passage.problem else styled(passage.text, lines=True)


def moment(unix_ms: int | None) -> str:
    """A time of this machine's zone, to the minute; "" if it is unknown or no time."""
    try:
        return "" if unix_ms is None else f"{datetime.fromtimestamp(unix_ms / 1000).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return ""


def _vectors(listed: ListedDocument) -> str:
    return ", ".join(f"{space}: {number}" for space, number in listed.vectors.items())


_COLUMNS: list[Column] = [
    ("document", lambda listed: styled(listed.id), 0),
    ("title", lambda listed: styled(listed.title), WIDE),
    ("state", lambda listed: styled(listed.state, _STYLES[listed.state]), 0),
    ("passages", lambda listed: str(listed.passages), 0),
    ("vectors", lambda listed: styled(_vectors(listed)), WIDE),
    ("from", lambda listed: listed.origin, 0),
    ("indexed", lambda listed: moment(listed.indexed_ms), 0),
    ("source", lambda listed: styled(listed.source), WIDE),
]


def _facts(details: DocumentDetails) -> Iterator[tuple[str, object]]:
    listed = details.listed
    yield "document", listed.id
    yield "title", listed.title
    yield "state", f"{listed.state}: {listed.reason}" if listed.reason else listed.state
    yield "passages", listed.passages
    yield "vectors", _vectors(listed)
    yield "from", listed.source or listed.origin
    yield "indexed", moment(listed.indexed_ms)
    yield from details.metadata.items()
