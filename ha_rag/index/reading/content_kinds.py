"""What a file is by its content: names are wrong often enough, as those of web pages that are called `report.xls`."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import BinaryIO

from ha_rag.index.reading.sniffing import SNIFFED_BYTES, looks_like_text

_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?<(?:!doctype html|html)\b", re.IGNORECASE
)
_PGP = b"-----BEGIN PGP"
_FOLDERS = {"word/document": "word", "ppt/presentation": "slides", "xl/workbook": "sheets"}
_TYPES = {
    "application/epub": "epub",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets",
    "application/vnd.oasis.opendocument": "opendocument",
}


def form_of_content(data: bytes, *, page: bool = True) -> str | None:
    """The form of a file with a mark of its own; None for anything else. `page`: web pages are such files, too."""
    return _form(io.BytesIO(data), page=page)


def form_of_file(path: Path) -> str | None:
    """The same for a file that is not read yet. Raises OSError."""
    with path.open("rb") as file:
        return _form(file, page=True)


def is_outline(path: Path) -> bool:
    """Whether a file that may be AsciiDoc or a signature (.asc) is text. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
    return looks_like_text(start) and _PGP not in start


def _form(file: BinaryIO, *, page: bool) -> str | None:
    start = file.read(1024)
    if start.startswith(b"%PDF-"):
        return "pdf"
    if start.lstrip().startswith(b"{\\rtf"):
        return "rich_text"
    if start.startswith(b"PK\x03\x04"):
        return _form_of_archive(file)
    return "html" if page and _HTML.match(start) else None


def _form_of_archive(file: BinaryIO) -> str | None:
    try:
        archive = zipfile.ZipFile(file)
        names = [name.replace("\\", "/") for name in archive.namelist()]
        declared = archive.read("mimetype")[:200].decode("ascii", "replace") if "mimetype" in names else ""
    except Exception:  # zipfile raises almost anything for a damaged archive; its reader says what is wrong
        return None
    for prefix, form in _TYPES.items():
        if declared.startswith(prefix):
            return form
    return next((form for part, form in _FOLDERS.items() if any(name.startswith(part) for name in names)), None)
