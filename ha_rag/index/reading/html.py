"""HTML: becomes Markdown, so that headings, lists and tables keep their meaning; scripts and styles are left out."""

from __future__ import annotations

from ha_rag.errors import UnreadableDocumentError

_WITHOUT_TEXT = ("script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "object")


def html_text(document: str, html: str) -> tuple[str, str]:
    """The title and the text, as Markdown, of a page.

    Raises UnreadableDocumentError where it is nested too deeply.
    """
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
        text: str = MarkdownConverter(heading_style="ATX", strip=["a", "img"]).convert_soup(page)
    except RecursionError as error:
        raise UnreadableDocumentError(document, "its elements are nested too deeply") from error
    return title, text.strip()
