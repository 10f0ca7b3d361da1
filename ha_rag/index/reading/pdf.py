"""PDF: the text of its pages, by pypdf."""

from __future__ import annotations

import io
import logging

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import tidy


def pdf_text(document: str, data: bytes) -> tuple[str, str]:
    """The title (or "") and the text of a PDF's pages, a blank line between pages. Raises UnreadableDocumentError."""
    if b"%PDF-" not in data[:1024]:
        raise UnreadableDocumentError(document, "not a PDF, although its name says so")
    try:
        title, text = _title_and_text(data)
    except PermissionError as error:
        raise UnreadableDocumentError(document, "the PDF is locked with a password") from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged PDF makes pypdf stumble over almost anything
        why = " ".join(tidy(str(error))[:200].split())
        raise UnreadableDocumentError(document, f"the PDF is damaged, or of an unknown kind: {why}") from error
    if not text.strip():
        raise UnreadableDocumentError(document, "the PDF has no text in it, only images perhaps")
    return " ".join(tidy(title).split()), tidy(text)


def _title_and_text(data: bytes) -> tuple[str, str]:
    # Loaded here, not above: a replica that only answers questions starts a tenth of a second earlier.
    from pypdf import PdfReader

    # pypdf logs a warning for every flaw that it could mend; what it cannot mend is reported by us.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise PermissionError
    text = "\n\n".join(page.extract_text().strip() for page in reader.pages)
    return str((reader.metadata and reader.metadata.title) or ""), text
