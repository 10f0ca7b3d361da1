"""Reads PDF files with PDFium: page by page, so that a page that cannot be read costs only itself."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from typing import Any

import pypdfium2
from pypdfium2 import raw

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.hyphens import joined_pages, rejoined
from ha_rag.index.reading.pdf_annotations import annotation_lines
from ha_rag.index.reading.pdf_columns import text_of
from ha_rag.index.reading.pdf_fonts import is_unmapped

NO_TEXT = "contains no text, perhaps only an image: run text recognition (OCR) on it"
LITTLE_TEXT = "has an image and hardly any text, perhaps it is a scan: run text recognition (OCR) on it"
FEW_CHARACTERS = 40
XFA = "is of a kind that only Adobe's programs show (XFA): print it to another PDF file"
UNMAPPED = "its fonts do not say which characters they show, so its text cannot be extracted"


def read_pdf(file: RawFile) -> Extract:
    """The text of a PDF, with a blank line between pages. Raises UnreadableDocumentError."""
    if b"%PDF-" not in file.data[:1024]:
        raise UnreadableDocumentError(file.name, "not a PDF, despite its name")
    document = _opened(file)
    try:
        pages = [_page(document, number, file.data) for number in range(len(document))]
        attached = [document.get_attachment(at).get_name() for at in range(document.count_attachments())]
        is_xfa = document.get_formtype() == raw.FORMTYPE_XFA_FULL
        metadata = {name.lower(): tidy(value).strip() for name, value in document.get_metadata_dict().items()}
    finally:
        document.close()
    text, left_out = without_blobs(tidy(rejoined(joined_pages(page.text for page in pages if page.text))))
    unread = tuple((f"page {n}", page.why) for n, page in enumerate(pages, start=1) if page.why)
    unread += (("its form", XFA),) if is_xfa else ()
    notices = (*left_out, *(f"page {n}: {page.notice}" for n, page in enumerate(pages, start=1) if page.notice))
    if attached:
        notices += (f"its attachments are not read, save them as files: {', '.join(map(tidy, attached))[:300]}",)
    if not any(map(str.isalnum, text)):
        raise UnreadableDocumentError(file.name, unread[0][1] if unread else "the PDF contains no text")
    kept = {name: metadata[name] for name in ("author", "subject", "keywords") if metadata.get(name)}
    return Extract(
        text=text, title=metadata.get("title", ""), markdown=False, metadata=kept, unread=unread, notices=notices
    )


def _opened(file: RawFile) -> Any:
    try:
        document = pypdfium2.PdfDocument(file.data)
        if len(document) == 0:
            raise UnreadableDocumentError(file.name, "the PDF is damaged: it has no pages")
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise UnreadableDocumentError(file.name, "the PDF is protected by a password") from error
        raise UnreadableDocumentError(file.name, f"the PDF is damaged or unsupported: {error}") from error
    return document


@dataclass(frozen=True, slots=True)
class _Page:
    """A page's text, or `why` it was not read. `notice`: what is to be said of it."""

    text: str = ""
    why: str = ""
    notice: str = ""


def _page(document: Any, number: int, data: bytes) -> _Page:
    try:
        page = document[number]
        found = page.get_textpage()
        text = text_of(found)
        beside = "\n".join(annotation_lines(document, page))
        if text.strip() and is_unmapped(found, text):
            return _Page(beside, why=UNMAPPED)
        if text.strip() or beside:
            notice = LITTLE_TEXT if len(text.strip()) < FEW_CHARACTERS and _is_scan(page) else ""
            return _Page("\n".join(filter(None, (text.strip(), beside))), notice=notice)
        kinds = [one.type for one in page.get_objects(max_depth=2)]
    except pypdfium2.PdfiumError as error:
        return _Page(why=f"is damaged: {error}")
    if raw.FPDF_PAGEOBJ_IMAGE in kinds or raw.FPDF_PAGEOBJ_PATH in kinds:
        return _Page(why=NO_TEXT)
    return _Page(why="is damaged: its content cannot be decoded") if _is_damaged(data, number) else _Page()


def _is_scan(page: Any) -> bool:
    """Whether an image covers most of a page."""
    width, height = page.get_size()
    images = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=2)
    boxes = (image.get_bounds() for image in images)
    return any((right - left) * (top - bottom) > width * height / 2 for left, bottom, right, top in boxes)


def _is_damaged(data: bytes, number: int) -> bool:
    """Whether the content of a page without any object cannot be decoded. PDFium takes such a page for an empty one."""
    from pypdf import PdfReader
    from pypdf.generic import ArrayObject, StreamObject

    complaints = _Complaints()
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            return False
        contents = reader.pages[number].get("/Contents")
        found = contents.get_object() if contents is not None else None
        with complaints:
            parts = [part.get_object() for part in found] if isinstance(found, ArrayObject) else [found]
            for part in parts:
                if isinstance(part, StreamObject):
                    part.get_data()
    except MemoryError:
        raise
    except Exception:  # pypdf raises almost anything for a damaged PDF
        return True
    return complaints.any


class _Complaints(logging.Handler):
    """Notices what pypdf logs instead of raising it. A context manager."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.any = False
        self._logger = logging.getLogger("pypdf")

    def emit(self, record: logging.LogRecord) -> None:
        self.any = True

    def __enter__(self) -> None:
        self._logger.propagate = False
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
