"""Reads spreadsheets of Excel and OpenDocument with calamine: sheets with their names, each row with the header."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from python_calamine import CalamineSheet, CalamineWorkbook

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.office_package import OfficePackage, drawn_lines, text_lines
from ha_rag.index.reading.tabulated import lines_of_table
from ha_rag.index.reading.xml_tree import all_named, attribute
from ha_rag.index.reading.zipped import damaged, is_protected

Value = int | float | str | bool | datetime.date | datetime.time | datetime.timedelta


def read_sheets(file: RawFile) -> Extract:
    """The text of a workbook. Raises UnreadableDocumentError."""
    package = OfficePackage(file) if file.data.startswith(b"PK") else None
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(file.data))
        names = workbook.sheet_names
    except Exception as error:
        if is_protected(file) or "password" in str(error).lower():
            raise UnreadableDocumentError(file.name, "protected by a password") from error
        raise damaged(file, error) from error
    texts: list[str] = []
    unread: list[tuple[str, str]] = []
    for name in names:
        try:
            lines = list(lines_of_table(_rows(workbook.get_sheet_by_name(name))))
        except Exception as error:
            unread.append((f"sheet {name!r}", damaged(file, error).why))
            continue
        if lines:
            texts.append(f"## {name}\n\n" + "\n".join(lines))
    if package is not None:
        texts += _beside_the_cells(package)
    return Extract(text="\n\n".join(texts), unread=tuple(unread))


def _rows(sheet: CalamineSheet) -> list[list[str]]:
    """The cells as text. A cell that spans several rows stands in each of them."""
    rows = [[_shown(cell) for cell in row] for row in sheet.to_python(skip_empty_area=True)]
    top, left = sheet.start or (0, 0)
    for (first, column), (last, _) in sheet.merged_cell_ranges or ():
        at = column - left
        for row in rows[max(0, first + 1 - top) : last + 1 - top]:
            if any(row) and at < len(row):
                row[at] = row[at] or rows[first - top][at]
    return rows


def _beside_the_cells(package: OfficePackage) -> Iterator[str]:
    """Text boxes, comments and charts, which belong to a sheet but to none of its cells."""
    for name in package.named(r"xl/(?:drawings/drawing\d*|comments/?\w*\d*|threadedComments/\w*\d*)\.xml"):
        try:
            root = package.part(name)
        except (ElementTree.ParseError, zipfile.BadZipFile, ValueError):
            continue
        if root is not None:
            yield from text_lines(root) if "/drawings/" in name else _comments(root)
    yield from drawn_lines(package, "xl")


def _comments(root: ElementTree.Element) -> Iterator[str]:
    for comment in (*all_named(root, "comment"), *all_named(root, "threadedComment")):
        if text := " ".join("".join(comment.itertext()).split()):
            yield f"{attribute(comment, 'ref')}: {text}"


def _shown(cell: Value) -> str:
    """A value as a spreadsheet shows it: whole numbers without a decimal point, dates as ISO 8601."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.12g}"
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ", "minutes")
    return cell.strip() if isinstance(cell, str) else str(cell)
