"""The reader of each form. Readers are imported when first used, since each brings a library of its own."""

from __future__ import annotations

from importlib import import_module

from ha_rag.errors import UnreadableDocumentError
from ha_rag.extras import missing_extra
from ha_rag.index.reading.extract import Extract, FileReader, RawFile

_READERS = {
    "text": ("text", "read_text"),
    "markdown": ("markdown", "read_markdown"),
    "html": ("html", "read_html"),
    "pdf": ("pdf", "read_pdf"),
    "word": ("word", "read_word"),
    "slides": ("slides", "read_slides"),
    "sheets": ("sheets", "read_sheets"),
    "opendocument": ("opendocument", "read_opendocument"),
    "rich_text": ("rich_text", "read_rich_text"),
    "epub": ("epub", "read_epub"),
    "delimited": ("delimited", "read_delimited"),
    "json": ("json_data", "read_json"),
    "notebook": ("notebook", "read_notebook"),
    "xml": ("xml_data", "read_xml"),
    "restructured": ("restructured", "read_restructured"),
    "asciidoc": ("asciidoc", "read_asciidoc"),
    "org": ("org", "read_org"),
    "mail": ("mail", "read_mail"),
    "mail_folder": ("mail_folder", "read_mail_folder"),
}
"""Form -> module and function."""


def reader_of(form: str) -> FileReader:
    """The reader of a form. Raises UnreadableDocumentError if it belongs to an extra that is not installed."""
    module, name = _READERS[form]
    try:
        reader: FileReader = getattr(import_module(f"ha_rag.index.reading.{module}"), name)
    except ModuleNotFoundError as error:
        missing = missing_extra("reading it", error)
        if missing is None:
            raise
        raise UnreadableDocumentError("", str(missing), transient=True) from error
    return reader


def read_as(form: str, file: RawFile) -> Extract:
    """The text of a file of this form, in this process. Raises UnreadableDocumentError."""
    return reader_of(form)(file)
