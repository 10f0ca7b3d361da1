"""Reads Rich Text Format with striprtf."""

from __future__ import annotations

import re
from collections.abc import Callable

from striprtf.striprtf import rtf_to_text

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.tables import table_lines, with_header
from ha_rag.index.reading.zipped import damaged

_to_text: Callable[..., str] = rtf_to_text  # it has no types of its own
_ROWS = re.compile(r"(?:^[^|\n]*\|[^\n]*\|[ \t]*\n?){2,}", re.MULTILINE)
_TITLE = re.compile(r"\{\\title ((?:[^{}\\]|\\.){1,1000})\}")
_CODE_PAGE = re.compile(r"\\ansicpg\d{1,5}")
_BESIDE = re.compile(r"\{(?:\\\*)?\\(?:footnote|header[lrf]?|footer[lrf]?|annotation)(?![a-z])")
"""Groups that striprtf passes over although they hold text: notes, comments, and what is on top and below of pages."""
_GONE = re.compile(r"\{\\(?=(?:deleted|v)(?![a-z0-9]))")
"""Groups of deleted and hidden text."""


def read_rich_text(file: RawFile) -> Extract:
    """The text of an RTF file. Raises UnreadableDocumentError."""
    if not file.data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableDocumentError(file.name, "not RTF, despite its name")
    source = file.data.decode("latin-1")
    try:
        title = _title(source[:20_000])
        text = _text(_GONE.sub(r"{\\*\\", _BESIDE.sub(r"{\\par ", _without_pictures(source))))
    except Exception as error:
        raise damaged(file, error) from error
    return Extract(text=_ROWS.sub(_as_rows, tidy(text)), title=title, markdown=False)


def _title(source: str) -> str:
    found, page = _TITLE.search(source), _CODE_PAGE.search(source)
    return _text(f"{{\\rtf1\\ansi{page[0] if page else ''} {found[1]}}}").strip() if found else ""


def _text(source: str) -> str:
    """The text of RTF. A character beyond the first 65,536 is written as two halves."""
    text = _to_text(source, errors="replace")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without_pictures(source: str) -> str:
    """`source` without the hexadecimal data of pictures, which may be most of it."""
    return re.sub(r"(?:[0-9a-f]{2}\s?){200,}", "", source)


def _as_rows(found: re.Match[str]) -> str:
    """The rows of a table, whose cells striprtf ends with bars."""
    rows = [line.rstrip("| \t").split("|") for line in found[0].splitlines()]
    header, rest = with_header(rows)
    return "\n".join(table_lines(rest, header)) + "\n"
