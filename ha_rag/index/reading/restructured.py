"""Reads reStructuredText as Markdown, line by line: docutils takes forty seconds for a megabyte.

Headings, code, tables and the text of directives and roles are kept, also of those that only Sphinx knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.fences import fenced
from ha_rag.index.reading.restructured_tables import grid_rows, listed_rows, simple_rows, values_rows
from ha_rag.index.reading.tables import Row, table_lines, with_header

_UNDERLINE = re.compile(r"^([^\w\s])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"^(\s*)\.\. (?:\|[^|]{1,100}\| )?([\w:+.-]{1,60})::(?:[ \t]+(.*))?$")
_COMMENT = re.compile(r"^(\s*)\.\.(?:[ \t].*)?$")
_NOTE = re.compile(r"^(\s*)\.\. \[([^\]\s]{1,60})\][ \t]+(.*)$")
_OPTION = re.compile(r"^\s*:([\w -]{1,60}):(?:[ \t]+(.*))?$")
_SIMPLE, _GRID = re.compile(r"^\s*=+(?:[ \t]+=+)+\s*$"), re.compile(r"^\s*\+(?:[-=]+\+)+\s*$")
_ROLE = re.compile(r"(?::[\w:+.-]{1,60}:)?`([^`<>]{1,300}?)(?:\s*<[^`<>]{1,500}>)?`(?:__?(?!\w))?")
_LITERAL = re.compile(r"``(.{1,500}?)``")
_WITHOUT_TEXT = frozenset({"toctree", "contents", "include", "literalinclude", "index", "meta", "highlight",
                           "default-role", "sectnum", "automodule", "autoclass", "autofunction"})  # fmt: skip
_CODE = frozenset({"code", "code-block", "sourcecode", "parsed-literal", "doctest", "testcode", "prompt", "math"})
DEEPEST = 8


def read_restructured(file: RawFile) -> Extract:
    """The text of a reStructuredText file. Raises UnreadableDocumentError."""
    found = decoded(file)
    text, left_out = without_blobs(found.text)
    lines = _Lines(text.expandtabs(8).splitlines()).as_markdown()
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    return Extract(text="\n".join(lines), title=title, notices=(*found.notices, *left_out), guessed=found.guessed)


class _Lines:
    """One pass over a text. `depth`: how many directives it is in; the deepest ones are left as they are."""

    def __init__(self, lines: Sequence[str], depth: int = 0) -> None:
        self._lines = lines
        self._depth = depth
        self._at = 0
        self._styles: list[tuple[str, bool]] = []

    def as_markdown(self) -> list[str]:
        """All lines, as Markdown."""
        made: list[str] = []
        while self._at < len(self._lines):
            made += self._heading() or self._table() or self._directive() or self._plain()
        return made

    def _line(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._lines[at].rstrip() if at < len(self._lines) else ""

    def _heading(self) -> list[str]:
        """A line with a line of punctuation below it, and maybe above it; its level is that of its first use."""
        over = bool(_UNDERLINE.match(self._line())) and self._line(2) == self._line() and bool(self._line(1).strip())
        title, under = self._line(over), self._line(over + 1)
        if not _UNDERLINE.match(under) or not title.strip() or (title[0].isspace() and not over):
            return []
        if len(under) < len(title.strip()) and len(under) < 4:
            return []
        style = (under[0], over)
        if style not in self._styles:
            self._styles.append(style)
        self._at += 2 + over
        return ["", f"{'#' * min(6, 1 + self._styles.index(style))} {_inline(title.strip())}", ""]

    def _table(self) -> list[str]:
        first = self._line()
        if _SIMPLE.match(first):
            end = self._simple_table_end()
            header, rows = simple_rows(self._lines[self._at : end])
        elif _GRID.match(first):
            end = self._at
            while end < len(self._lines) and self._lines[end].strip().startswith(("+", "|")):
                end += 1
            header, rows = grid_rows(self._lines[self._at : end])
        else:
            return []
        self._at = end
        return _rows(header, rows)

    def _simple_table_end(self) -> int:
        """The line after a simple table: its last ruler is followed by an empty line."""
        at = self._at + 1
        while at < len(self._lines):
            if _SIMPLE.match(self._lines[at]) and (at + 1 == len(self._lines) or not self._lines[at + 1].strip()):
                return at + 1
            at += 1
        return at

    def _directive(self) -> list[str]:
        note = _NOTE.match(self._line())
        if note is not None:
            self._at += 1
            return ["", f"[{note[2]}] {_inline(note[3])}", *self._inner(self._indented()), ""]
        found = _DIRECTIVE.match(self._line())
        if found is None:
            if not _COMMENT.match(self._line()):
                return []
            self._at += 1
            self._indented()
            return [""]
        self._at += 1
        name, argument = found[2].rpartition(":")[2], (found[3] or "").strip()
        options, body = _options(self._indented())
        if name in _WITHOUT_TEXT:
            return [""]
        if name == "only":
            return ["", *self._inner(body), ""]
        if name in ("image", "figure"):
            return ["", _inline(options.get("alt", "")), *self._inner(body), ""]
        if name in _CODE:
            return fenced(argument if name != "math" else "", body if name != "math" else [argument, *body])
        if name in ("list-table", "csv-table"):
            rows = listed_rows(body) if name == "list-table" else values_rows(body, options)
            count = int(count) if (count := options.get("header-rows", "0")).isdigit() else 0
            header = rows[0] if rows and (count or "header" in options) else None
            return [_inline(argument), *_rows(header, rows[1:] if header else rows)]
        return ["", _inline(argument), "", *self._inner(body), ""]

    def _inner(self, body: Sequence[str]) -> list[str]:
        return _Lines(body, self._depth + 1).as_markdown() if self._depth < DEEPEST else list(body)

    def _indented(self) -> list[str]:
        """The indented lines that follow, without their indentation."""
        start = self._at
        while self._at < len(self._lines) and (not self._line() or self._lines[self._at][0] == " "):
            self._at += 1
        lines = [line.rstrip() for line in self._lines[start : self._at]]
        indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
        return [line[indent:] for line in lines]

    def _plain(self) -> list[str]:
        line = self._line()
        self._at += 1
        if not line.endswith("::"):
            return [_inline(line)]
        shown = line.removesuffix("::").rstrip()
        before = [f"{_inline(shown)}:"] if shown else []
        if self._line():
            return before or [line]
        return [*before, *fenced("", self._indented())]


def _rows(header: Row | None, rows: Sequence[Row]) -> list[str]:
    if header is None:
        header, rows = with_header(rows)
    cells = [[_inline(cell) for cell in row] for row in rows]
    return ["", *table_lines(cells, [_inline(name) for name in header] if header else None), ""]


def _options(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """The `:name: value` lines at the start of a directive's content, and the rest."""
    options: dict[str, str] = {}
    for at, line in enumerate(lines):
        found = _OPTION.match(line)
        if found is None:
            return options, lines[at:]
        options[found[1]] = (found[2] or "").strip()
    return options, []


def _inline(text: str) -> str:
    """Text with roles and links replaced by what they show."""
    if "`" not in text:
        return text
    literals = iter(_LITERAL.findall(text))
    parts = [_ROLE.sub(_shown, part) for part in _LITERAL.sub("\0", text).split("\0")]
    return parts[0] + "".join(f"`{next(literals)}`{part}" for part in parts[1:])


def _shown(found: re.Match[str]) -> str:
    return found[1].strip().lstrip("~!")
