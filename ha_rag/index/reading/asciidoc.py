"""Reads AsciiDoc as Markdown, line by line: headings, code, tables and the texts of images and links are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ha_rag.index.reading.asciidoc_tables import asciidoc_rows
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.fences import fenced
from ha_rag.index.reading.tables import table_lines, with_header

_HEADING = re.compile(r"^(={1,6}|#{1,6})[ \t]+(\S.*)$")
_SETTING = re.compile(r"^:([\w-]{1,60})!?:(?:[ \t]+(.*))?$")
_CODE = re.compile(r"^(?:-{4,}|\.{4,}|\+{4,}|```\w*)$")
_COMMENTS, _BLOCK, _TABLE = (
    re.compile(r"^/{4,}$"),
    re.compile(r"^(?:={4,}|\*{4,}|_{4,}|--)$"),
    re.compile(r"^[|,:!]===$"),
)
_ATTRIBUTES = re.compile(r"^\[[^\]]{0,500}\]$")
_IMAGE = re.compile(r"\b(?:image|video|audio)::?[^\s\[]{1,500}\[([^\]]{0,500})\]")
_LINK = re.compile(
    r"(?:\b(?:link:|xref:|mailto:)?[^\s\[\]]*(?:://|link:|xref:|mailto:)[^\s\[\]]{1,500})\[([^\]]{1,500})\]"
)
_REFERENCE = re.compile(r"<<[^<>,]{1,200}(?:,([^<>]{1,300}))?>>")


def read_asciidoc(file: RawFile) -> Extract:
    """The text of an AsciiDoc file. Raises UnreadableDocumentError."""
    found = decoded(file)
    text, left_out = without_blobs(found.text)
    pages = _Lines(text.splitlines())
    lines = list(pages.as_markdown())
    title = next((line.lstrip("# ") for line in lines if line.startswith("# ")), "")
    return Extract(
        text="\n".join(lines), title=title, metadata=pages.metadata, notices=(*found.notices, *left_out),
        guessed=found.guessed,
    )  # fmt: skip


class _Lines:
    """One pass over a text. `metadata`: the document's attributes."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._at = 0
        self._attributes = ""
        self._last: dict[str, int] = {}
        self.metadata: dict[str, object] = {}

    def as_markdown(self) -> Iterator[str]:
        """All lines, as Markdown."""
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            self._at += 1
            if _COMMENTS.match(line) and self._is_closed(line):
                self._up_to(line)
            elif _CODE.match(line):
                closing = "```" if line.startswith("```") else line
                yield from fenced(self._language(line), self._up_to(closing))
            elif _TABLE.match(line):
                yield from self._table(line)
            elif _ATTRIBUTES.match(line):
                self._attributes = line
                continue
            else:
                yield from self._one(line)
            self._attributes = ""

    def _one(self, line: str) -> Iterator[str]:
        heading, setting = _HEADING.match(line), _SETTING.match(line)
        if heading:
            yield from ("", f"{'#' * len(heading[1])} {_inline(heading[2].rstrip('= '))}", "")
        elif setting:
            if setting[2]:
                self.metadata.setdefault(setting[1].lower(), setting[2].strip()[:1000])
        elif not _BLOCK.match(line) and not (line.startswith("//") and not line.startswith("///")):
            yield _inline(re.sub(r"^\.(?=[^\s.])", "", line))  # the title of a block begins with a point

    def _is_closed(self, closing: str) -> bool:
        """Whether a remark ends; otherwise what follows it is not lost."""
        if closing not in self._last:
            self._last[closing] = max(at for at, line in enumerate(self._lines) if line.rstrip() == closing)
        return self._last[closing] >= self._at

    def _up_to(self, closing: str) -> list[str]:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].rstrip() != closing:
            self._at += 1
        self._at += 1
        return list(self._lines[start : self._at - 1])

    def _language(self, opening: str) -> str:
        found = re.match(r"^\[(?:source)?,\s*([\w+-]{1,30})", self._attributes)
        return found[1] if found else opening.strip("-.+`")

    def _table(self, opening: str) -> Iterator[str]:
        attributes = self._attributes
        rows = [[_inline(cell) for cell in row] for row in asciidoc_rows(opening[0], self._up_to(opening), attributes)]
        header, rest = (rows[0], rows[1:]) if "header" in attributes and rows else with_header(rows)
        yield from ("", *table_lines(rest, header), "")


def _inline(text: str) -> str:
    """Text with images and links replaced by what they show."""
    if "[" in text:
        text = _LINK.sub(r"\1", _IMAGE.sub(lambda found: found[1].split(",")[0].strip('"'), text))
    return _REFERENCE.sub(lambda found: found[1] or "", text) if "<<" in text else text
