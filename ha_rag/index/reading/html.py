"""HTML: becomes Markdown, so that headings, lists and tables keep their meaning; scripts and styles are left out."""

from __future__ import annotations

import re

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import decoded, tidy

_WITHOUT_TEXT = ("script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "object")

_NUMBERS = ("start", "colspan", "rowspan")
"""Attributes that the converter takes for numbers, whatever stands there."""


def _misleads(name: str, value: str) -> bool:
    return name in _NUMBERS and not re.fullmatch("[0-9]{1,4}", value)


def html_text(document: str, data: bytes) -> tuple[str, str]:
    """The title and the text, as Markdown, of a page. Raises UnreadableDocumentError.

    A page can be made such that this takes hours or gigabytes: see `apart`.
    """
    html = decoded(document, data)
    # Loaded here, not above: a replica that only answers questions starts a tenth of a second earlier.
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString
    from markdownify import MarkdownConverter

    try:
        # What follows a doctype is HTML to the parser, even where it begins like XML or like a file's name.
        page = BeautifulSoup(f"<!doctype html>\n{html}", "html.parser")
        title = " ".join(page.title.get_text().split()) if page.title else ""
        for element in page(_WITHOUT_TEXT):
            element.decompose()
        for mark in page(string=lambda text: isinstance(text, PreformattedString)):
            mark.extract()  # comments, declarations, instructions
        for element in page.find_all(True):
            element.attrs = {name: value for name, value in element.attrs.items() if not _misleads(name, str(value))}
        text: str = MarkdownConverter(heading_style="ATX", strip=["a", "img"]).convert_soup(page)
    except RecursionError as error:
        raise UnreadableDocumentError(document, "its elements are nested too deeply") from error
    except MemoryError:
        raise
    except Exception as error:  # the parser refuses some pages, and the converter stumbles over some attributes
        raise UnreadableDocumentError(document, f"the page is damaged ({type(error).__name__})") from error
    # `&#27;` is a control character once more.
    return " ".join(tidy(title).split()), tidy(text).strip()
