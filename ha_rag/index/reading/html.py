"""Converts HTML to Markdown, which keeps headings, lists and tables; scripts and styles are dropped."""

from __future__ import annotations

import re

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import decoded, tidy

_WITHOUT_TEXT = ("script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "object")

_NUMBERS = ("start", "colspan", "rowspan")
"""Attributes that the converter parses as numbers without checking them."""


def _is_bad_number(name: str, value: str) -> bool:
    return name in _NUMBERS and not re.fullmatch("[0-9]{1,4}", value)


def html_text(document: str, data: bytes) -> tuple[str, str]:
    """The title and the text, as Markdown, of a page. Raises UnreadableDocumentError.

    Some pages take hours or gigabytes to parse, so this runs in the process of `sandbox`.
    """
    html = decoded(document, data)
    # Imported here because a replica that only answers questions starts 0.1 s faster without it.
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString
    from markdownify import MarkdownConverter

    try:
        # The doctype keeps the parser from warning about input that looks like XML or a file name.
        page = BeautifulSoup(f"<!doctype html>\n{html}", "html.parser")
        title = " ".join(page.title.get_text().split()) if page.title else ""
        for element in page(_WITHOUT_TEXT):
            element.decompose()
        for mark in page(string=lambda text: isinstance(text, PreformattedString)):
            mark.extract()  # comments, declarations, processing instructions
        for element in page.find_all(True):
            element.attrs = {n: value for n, value in element.attrs.items() if not _is_bad_number(n, str(value))}
        text: str = MarkdownConverter(heading_style="ATX", strip=["a", "img"]).convert_soup(page)
    except RecursionError as error:
        raise UnreadableDocumentError(document, "its elements are nested too deeply") from error
    except MemoryError:
        raise
    except Exception as error:  # neither library documents what it raises
        raise UnreadableDocumentError(document, f"the page is damaged ({type(error).__name__})") from error
    # Character references such as `&#27;` can produce control characters again.
    return " ".join(tidy(title).split()), tidy(text).strip()
