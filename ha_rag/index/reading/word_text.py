"""The text of a Word document, as Markdown: a walk over its body (WordprocessingML, ECMA-376 part 1).

Elements are known by their local names, so documents of the strict kind are read as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ha_rag.index.reading.markdown_writer import LINE_BREAK, MarkdownWriter
from ha_rag.index.reading.office_package import alternative
from ha_rag.index.reading.tables import merged_header, table_lines
from ha_rag.index.reading.tabulated import lines_of_table
from ha_rag.index.reading.word_styles import WordLists, WordStyles
from ha_rag.index.reading.xml_tree import attribute, child, local

_NO_TEXT = frozenset(
    {"pPr", "rPr", "tblPr", "tblGrid", "trPr", "tcPr", "sdtPr", "sdtEndPr", "sectPr", "del", "moveFrom", "instrText",
     "delText", "delInstrText", "fldData", "annotationRef", "rt", "ctrlPr", "proofErr"}
)  # fmt: skip
_SIGNS = {"tab": " ", "br": LINE_BREAK, "cr": LINE_BREAK, "noBreakHyphen": "\u2011", "softHyphen": "\u00ad"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}
MOST_SPANNED = 100


@dataclass(slots=True)
class WordText:
    """One walk over a document.

    `notes`: by "footnotes", "endnotes" or "comments" and their id. `embedded`: the text of a file within the document,
    by the id of its relation.
    """

    styles: WordStyles
    lists: WordLists
    notes: dict[tuple[str, str], Element] = field(default_factory=dict)
    embedded: Callable[[str], str] = lambda relation: ""
    writer: MarkdownWriter = field(default_factory=MarkdownWriter)
    first_heading: str = ""
    _after: list[Element] = field(default_factory=list)

    def blocks(self, parent: Element) -> None:
        """Writes the blocks in an element."""
        for element in parent:
            self._block(element)

    def _block(self, element: Element) -> None:
        name = local(element)
        if name == "p":
            self._paragraph(element)
        elif name == "tbl":
            self._table(element)
        elif name == "AlternateContent":
            self.blocks(alternative(element))
        elif name == "altChunk":
            self.writer.lines(self.embedded(attribute(element, "id")).split("\n"))
        elif name not in _NO_TEXT:
            self.blocks(element)

    def _paragraph(self, paragraph: Element) -> None:
        text = "".join(self._inline(paragraph))
        level = self.styles.heading_level(paragraph)
        item = None if level else self.styles.list_item(paragraph)
        marker = self.lists.marker(item) if item and text.strip() else ""
        if level:
            self.first_heading = self.first_heading or " ".join(text.replace(LINE_BREAK, " ").split())[:500]
            self.writer.heading(level)
        if item and marker:
            indent = "  " * min(item.level, 8)
            self.writer.enter(indent + marker, indent + "  ")
        self.writer.text(text)
        self.writer.end_block()
        if marker:
            self.writer.leave()
        self._write_what_hangs_on_it()

    def _write_what_hangs_on_it(self) -> None:
        """The boxes and notes of the paragraph or table that was just written."""
        after, self._after = self._after, []
        for element in after:
            self.blocks(element)

    def _inline(self, element: Element) -> Iterator[str]:
        """The text in an element; boxes and notes are put aside."""
        for part in element:
            name = local(part)
            if name == "t":
                yield part.text or ""
            elif name in _NO_TEXT:
                continue
            elif name in _SIGNS:
                yield _SIGNS[name]
            elif name == "sym":
                yield _symbol(attribute(part, "char"))
            elif name in _NOTES or name == "txbxContent":
                self._put_aside(part, name)
            elif name == "AlternateContent":
                yield from self._inline(alternative(part))
            elif name == "docPr":
                yield f" {attribute(part, 'descr')} "
            else:
                yield "/" * (name == "den")  # of a fraction
                yield from self._inline(part)

    def _put_aside(self, part: Element, name: str) -> None:
        """Remembers a box or a note. One that is named again was written at its first place."""
        found = part if name not in _NOTES else self.notes.pop((_NOTES[name], attribute(part, "id")), None)
        self._after += [found] if found is not None else []

    def _table(self, table: Element) -> None:
        if _is_layout(table, self.styles):
            self.blocks(table)
            return
        rows: list[list[str]] = []
        headers = 0
        for row in _rows(table):
            headers += len(rows) == headers and child(row, "trPr", "tblHeader") is not None
            rows.append(self._cells(row, rows[-1] if rows else []))
        if 0 < headers < len(rows):
            self.writer.lines(table_lines(rows[headers:], merged_header(rows[:headers])))
        else:
            self.writer.lines(lines_of_table(rows))
        self._write_what_hangs_on_it()

    def _cells(self, row: Element, above: list[str]) -> list[str]:
        """The texts of a row's cells. One that goes on from the row above has its text again."""
        cells = [""] * _span(child(row, "trPr", "gridBefore"), none=0)
        for cell in _cells_of(row):
            goes_on = child(cell, "tcPr", "vMerge")
            if goes_on is not None and attribute(goes_on, "val") != "restart":
                cells.append(above[len(cells)] if len(cells) < len(above) else "")
            else:
                texts = ("".join(self._inline(paragraph)) for paragraph in _paragraphs(cell))
                cells.append(" ".join(" ".join(texts).replace(LINE_BREAK, " ").split()))
            cells += [""] * (_span(child(cell, "tcPr", "gridSpan"), none=1) - 1)
        return cells


def _symbol(code: str) -> str:
    """A character of a symbol font; those at F000 have no meaning without their font."""
    try:
        found = chr(int(code, 16))
    except (ValueError, OverflowError):
        return ""
    return "" if "\ue000" <= found <= "\uf8ff" else found


def _within(element: Element, name: str, into: frozenset[str]) -> Iterator[Element]:
    """The elements of a name in `element`, also those in `into`, such as content controls."""
    for part in element:
        if local(part) == name:
            yield part
        elif local(part) in into:
            yield from _within(part, name, into)


_WRAPPERS = frozenset({"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"})


def _rows(table: Element) -> Iterator[Element]:
    return (row for row in _within(table, "tr", _WRAPPERS) if child(row, "trPr", "del") is None)


def _cells_of(row: Element) -> Iterator[Element]:
    return _within(row, "tc", _WRAPPERS)


def _paragraphs(cell: Element) -> Iterator[Element]:
    return _within(cell, "p", _WRAPPERS)


def _is_layout(table: Element, styles: WordStyles) -> bool:
    """Whether a table places things on the page: it holds another table or headings, or has a single cell."""
    cells = [cell for row in _rows(table) for cell in _cells_of(row)]
    if len(cells) == 1:
        return True
    inner = any(child(cell, "tbl") is not None for cell in cells)
    return inner or any(styles.heading_level(paragraph) for cell in cells for paragraph in _paragraphs(cell))


def _span(element: Element | None, none: int) -> int:
    value = attribute(element, "val")
    return min(MOST_SPANNED, int(value)) if value.isdigit() and len(value) < 5 else none
