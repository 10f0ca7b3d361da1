"""Extracts the text of PDF files with pypdf."""

from __future__ import annotations

import io
import logging

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import tidy


def pdf_text(document: str, data: bytes) -> tuple[str, str]:
    """The title (or "") and the text of a PDF, with a blank line between pages. Raises UnreadableDocumentError."""
    if b"%PDF-" not in data[:1024]:
        raise UnreadableDocumentError(document, "not a PDF, despite its name")
    try:
        title, text = _title_and_text(data)
    except PermissionError as error:
        raise UnreadableDocumentError(document, "the PDF is protected by a password") from error
    except MemoryError:
        raise
    except Exception as error:  # pypdf raises almost anything for a damaged PDF
        why = " ".join(tidy(str(error))[:200].split())
        raise UnreadableDocumentError(document, f"the PDF is damaged or unsupported: {why}") from error
    if not text.strip():
        raise UnreadableDocumentError(document, "the PDF contains no text, perhaps only images")
    return " ".join(tidy(title).split()), tidy(text)


def _title_and_text(data: bytes) -> tuple[str, str]:
    # Imported here because a replica that only answers questions starts 0.1 s faster without it.
    from pypdf import PdfReader

    # pypdf logs a warning for each flaw that it could repair; what it cannot repair is raised above.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise PermissionError
    text = "\n\n".join(page.extract_text().strip() for page in reader.pages)
    return str((reader.metadata and reader.metadata.title) or ""), text
