"""HTML: becomes Markdown, so that headings, lists and tables keep their meaning; scripts and styles are left out."""

from __future__ import annotations

import warnings

from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from markdownify import MarkdownConverter

from ha_rag.errors import UnreadableDocumentError

_WITHOUT_TEXT = ("script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "object")


def html_text(document: str, html: str) -> tuple[str, str]:
    """The title and the text, as Markdown, of a page.

    Raises UnreadableDocumentError where it is nested too deeply.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
            page = BeautifulSoup(html, "html.parser")
        title = " ".join(page.title.get_text().split()) if page.title else ""
        for element in page(_WITHOUT_TEXT):
            element.decompose()
        text: str = MarkdownConverter(heading_style="ATX", strip=["a", "img"]).convert_soup(page)
    except RecursionError as error:
        raise UnreadableDocumentError(document, "its elements are nested too deeply") from error
    return title, text.strip()
