"""Reads OpenDocument texts and presentations (.odt, .odp) with odfdo."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from odfdo import Document

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.markdown_writer import MarkdownWriter
from ha_rag.index.reading.tables import merged_header, table_lines
from ha_rag.index.reading.tabulated import lines_of_table
from ha_rag.index.reading.zipped import damaged, opened_zip, unpacked

_SKIPPED = frozenset({"text:tracked-changes", "office:annotation-end", "text:sequence-decls", "office:forms"})
_HANGING = "descendant::draw:text-box | descendant::text:note-body | descendant::office:annotation"
MOST_REPEATED = 200
"""A cell may say that it is repeated up to the end of the sheet."""


def read_opendocument(file: RawFile) -> Extract:
    """The text of a document. Raises UnreadableDocumentError."""
    flat = _is_flat(file.data)
    if not flat and b"encryption-data" in _manifest(opened_zip(file)):
        raise UnreadableDocumentError(file.name, "protected by a password")
    try:
        document = Document(io.BytesIO(file.data))
        text = _Text()
        text.blocks(document.body)
        text.headers_and_footers(document.get_part("content" if flat else "styles"))
        meta = None if flat else document.meta
        title = str(meta.title or "") if meta else ""
        author = str(meta.initial_creator or meta.creator or "") if meta else ""
    except Exception as error:
        raise damaged(file, error) from error
    return Extract(
        text=text.writer.written(), title=title or text.first_heading, metadata={"author": author} if author else {}
    )


def _is_flat(data: bytes) -> bool:
    """Whether a file is one XML document instead of an archive (.fodt)."""
    return data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml") and b"<office:document" in data[:20_000]


def _manifest(archive: zipfile.ZipFile) -> bytes:
    try:
        return unpacked(archive, "META-INF/manifest.xml")
    except (KeyError, zipfile.BadZipFile):
        return b""


class _Text:
    """One walk over a document."""

    def __init__(self) -> None:
        self.writer = MarkdownWriter()
        self.first_heading = ""
        self._slides = 0
        self._is_workbook = False

    def blocks(self, parent: Any) -> None:
        """Writes the blocks in an element."""
        self._is_workbook = self._is_workbook or parent.tag == "office:spreadsheet"
        for element in parent.children:
            self._block(element)

    def _block(self, element: Any) -> None:
        tag = element.tag
        if tag in _SKIPPED:
            return
        if tag == "text:h":
            self.writer.heading(max(1, min(6, int(element.get_attribute("text:outline-level") or 1))))
            words = " ".join("".join(_inline(element)).split())
            self.first_heading = self.first_heading or words
            self.writer.text(words)
            self.writer.end_block()
        elif tag == "text:p":
            self._paragraph(element)
        elif tag in ("text:list-item", "text:list-header"):
            self.writer.enter("- ", "  ")
            self.blocks(element)
            self.writer.leave()
        elif tag == "table:table":
            if self._is_workbook:
                self.writer.heading(2)
                self.writer.text(str(element.get_attribute("table:name") or ""))
            self._table(element)
        elif tag == "draw:page":
            self._slides += 1
            self.writer.heading(2)
            self.writer.text(f"Slide {self._slides}: {_title(element)}")
            self.blocks(element)
        elif tag == "draw:frame" and element.get_attribute("presentation:class") == "title":
            return  # it is in the heading of its slide
        else:
            self.blocks(element)

    def headers_and_footers(self, styles: Any) -> None:
        """Writes what is on top and at the bottom of all pages, once."""
        for element in styles.get_elements("//style:header | //style:footer"):
            self.blocks(element)

    def _paragraph(self, element: Any) -> None:
        self.writer.end_block()
        self.writer.text("".join(_inline(element)))
        self.writer.end_block()
        self._write_what_hangs_on_it(element)

    def _write_what_hangs_on_it(self, element: Any) -> None:
        for frame in element.get_elements(_HANGING):
            self.blocks(frame)

    def _table(self, table: Any) -> None:
        if table.get_elements("descendant::table:table"):
            self.blocks(table)  # it places things on the page
            return
        rows: list[list[str]] = []
        spans: dict[int, int] = {}
        for row in table.get_elements("descendant::table:table-row"):
            rows.append(_cells(row, rows[-1] if rows else [], spans))
        headers = len(table.get_elements("table:table-header-rows/table:table-row"))
        if 0 < headers < len(rows):
            self.writer.lines(table_lines(rows[headers:], merged_header(rows[:headers])))
        else:
            self.writer.lines(lines_of_table(rows))


def _title(slide: Any) -> str:
    """The title on a slide, or else its name."""
    titles = slide.get_elements("descendant::draw:frame[@presentation:class='title']")
    text = " ".join("".join(_flat(frame) for frame in titles).split())
    return text or str(slide.get_attribute("draw:name") or "")


def _flat(element: Any) -> str:
    return " ".join("".join(_inline(part)) for part in element.get_elements("descendant::text:p | descendant::text:h"))


def _cells(row: Any, above: list[str], spans: dict[int, int]) -> list[str]:
    """The texts of a row's cells. One that spans several rows has its text again; `spans`: for how many more rows."""
    cells: list[str] = []
    for cell in row.children:
        if cell.tag not in ("table:table-cell", "table:covered-table-cell"):
            continue
        at = len(cells)
        text = " ".join(_flat(cell).split())
        if cell.tag == "table:covered-table-cell" and spans.get(at, 0) > 0:
            spans[at] -= 1
            text = above[at] if at < len(above) else ""
        elif (down := _count(cell, "table:number-rows-spanned")) > 1:
            spans[at] = down - 1
        cells += [text] * (_count(cell, "table:number-columns-repeated") if text else 1)
        cells += [""] * (_count(cell, "table:number-columns-repeated") - 1 if not text else 0)
    return cells


def _count(cell: Any, name: str) -> int:
    value = str(cell.get_attribute(name) or "1")
    return min(MOST_REPEATED, int(value)) if value.isdigit() else 1


def _inline(element: Any) -> Iterator[str]:
    """The text in an element, without that of its boxes and notes."""
    yield element.text or ""
    for child in element.children:
        if child.tag in ("text:s", "text:tab", "text:line-break"):
            yield " "
        elif child.tag in ("svg:title", "svg:desc"):
            yield f" {child.text or ''} "
        elif child.tag not in ("draw:text-box", "text:note-body", "office:annotation", "text:tracked-changes"):
            yield from _inline(child)
        yield child.tail or ""
